import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import huge_png, picture
from PIL import Image

from improve_git.datasets.images import (
    FORMATS,
    UnreadableImageError,
    channel_moments,
    decode,
    fit,
    is_grey,
)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data, side=512, most=10**8):
    return decode(io.BytesIO(data), side, most)


def pixels(data, **options):
    return np.asarray(decoded(data, **options).image)


@pytest.mark.parametrize(
    "kind", [k for k in ("PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF") if k in FORMATS]
)
def test_rgb_comes_out_as_it_went_in(kind):
    flat = Image.new("RGB", (7, 5), (200, 100, 50))
    one = decoded(encoded(flat, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert (one.width, one.height, one.format) == (7, 5, kind)
    assert np.array_equal(np.asarray(one.image), np.asarray(flat))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_is_scaled_and_not_cut_off(kind):
    deep = Image.fromarray(np.array([[0, 257, 32768, 65535]], dtype=np.uint16))
    assert pixels(encoded(deep, kind))[0].tolist() == [[v] * 3 for v in (0, 1, 128, 255)]


def test_big_endian_16_bit_tiff():
    deep = Image.frombytes("I;16B", (2, 1), bytes([0xFF, 0xFF, 0x00, 0x00]))
    assert pixels(encoded(deep, "TIFF"))[0, :, 0].tolist() == [255, 0]


def test_bilevel():
    assert pixels(encoded(Image.new("1", (2, 2), 1), "PNG")).min() == 255


def test_floating_point_and_32_bit_have_no_known_range():
    with pytest.raises(UnreadableImageError, match="range"):
        decoded(encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"))
    with pytest.raises(UnreadableImageError, match="range"):
        decoded(encoded(Image.fromarray(np.full((2, 2), 70000, np.int32)), "TIFF"))


def test_cmyk_jpeg():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    one = decoded(encoded(red, "JPEG", quality=100))
    assert one.mode == "CMYK"
    assert np.abs(np.asarray(one.image).astype(int) - (255, 0, 0)).max() < 12


def test_palette():
    one = Image.new("P", (2, 1))
    one.putpalette([10, 20, 30, 200, 100, 50])
    one.putdata([0, 1])
    assert pixels(encoded(one, "PNG"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparent_is_white(mode):
    if mode in ("RGBA", "LA"):
        data = encoded(Image.new(mode, (1, 1), (0,) * len(mode)), "PNG")
    else:  # one value of the palette or of the pixels is declared transparent
        transparent = (0, 0, 0) if mode == "RGB" else 0
        data = encoded(Image.new(mode, (1, 1), transparent), "PNG", transparency=transparent)
    assert pixels(data)[0, 0].tolist() == [255, 255, 255]


def test_half_transparent_is_blended():
    assert pixels(encoded(Image.new("RGBA", (1, 1), (255, 0, 0, 128)), "PNG"))[0, 0].tolist() == [
        255,
        127,
        127,
    ]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    # Where a viewer shows the stored image's first pixel, by the EXIF standard.
    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    one = decoded(encoded(image, "JPEG", quality=100, exif=exif))
    size = (16, 32) if orientation > 4 else (32, 16)
    assert (one.width, one.height) == one.image.size == size
    shown = np.asarray(one.image)[:, :, 0]
    bright = {
        "tl": shown[0, 0],
        "tr": shown[0, -1],
        "bl": shown[-1, 0],
        "br": shown[-1, -1],
    }
    assert max(bright, key=bright.get) == corner
    assert sorted(bright.values())[-2] < 50


def test_a_damaged_exif_block_does_no_harm():
    one = decoded(encoded(picture(1), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f\x01"))
    assert one.image.size == (12, 10)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert pixels(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_truncated_file_is_unreadable(kind):
    data = encoded(picture(1, (80, 60)), kind)
    with pytest.raises(UnreadableImageError):
        decoded(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"label,image\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P5"])
def test_what_is_no_image_is_unreadable(data):
    with pytest.raises(UnreadableImageError):
        decoded(data)


def test_too_many_pixels_are_not_decoded():
    data = huge_png()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableImageError, match=r"40000x25000 pixels, above data.max_pix"):
            decoded(data)


def test_the_limit_on_pixels_can_be_raised():
    with pytest.raises(UnreadableImageError, match=r"damaged: .*truncated"):
        decoded(huge_png(), 64, 10**9)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_longer_side_is_limited(kind):
    one = decoded(encoded(picture(1, (640, 400)), kind), side=100)
    assert one.image.size == (100, 62)
    assert (one.width, one.height) == (640, 400)


def test_scaling_averages():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = pixels(encoded(Image.fromarray(checks.astype(np.uint8)), "PNG"), side=16)
    assert np.abs(small.astype(int) - 127).max() < 20


def test_no_metadata_is_left():
    exif = Image.Exif()
    exif[0x010E] = "class seven"
    data = encoded(picture(1), "JPEG", exif=exif, comment=b"class seven", dpi=(7, 7))
    image = decoded(data).image
    assert not image.info
    for kind in ("PNG", "JPEG"):
        assert b"class" not in encoded(image, kind)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 600))
def test_fit(width, height, side):
    small = fit(width, height, side)
    assert max(small) <= max(side, 1)
    assert min(small) >= 1
    assert fit(height, width, side) == small[::-1]
    if max(width, height) <= side:
        assert small == (width, height)


def test_is_grey():
    grey = picture(1, mode="L")
    assert is_grey(grey.convert("RGB"))
    assert decoded(encoded(grey, "JPEG")).image.mode == "RGB"
    assert not is_grey(picture(1))
    almost = grey.convert("RGB")
    almost.putpixel((3, 3), (1, 1, 2))
    assert not is_grey(almost)


def test_channel_moments():
    image = picture(5)
    values = np.asarray(image).reshape(-1, 3) / 255
    means, squares = channel_moments(image)
    assert np.allclose(means, values.mean(axis=0))
    assert np.allclose(squares, (values**2).mean(axis=0))


WHOLE = [encoded(picture(1, (20, 20)), kind) for kind in FORMATS if kind not in ("MPO", "AVIF")]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_never_escapes_as_another_error(data):
    content = bytearray(data.draw(st.sampled_from(WHOLE)))
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, max_size=8)):
        content[place] = value
    end = data.draw(st.integers(0, len(content)))
    try:
        one = decoded(bytes(content[:end]), side=32, most=10**5)
    except UnreadableImageError as error:
        assert "\n" not in str(error)
    else:
        assert one.image.mode == "RGB"
        assert max(one.image.size) <= 32
