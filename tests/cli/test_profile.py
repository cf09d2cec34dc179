"""What init says of the images."""

from pathlib import Path

from command_line import Call
from PIL import Image


def test_odd_images_are_named(tmp_path: Path, call: Call) -> None:
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / name).mkdir()
        for number in range(20):
            colour = (number, 100 * label, 7)
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{number:02d}.png")
    for place in ("cats/again.png", "dogs/stray.png"):
        (tmp_path / place).write_bytes((tmp_path / "cats/03.png").read_bytes())
    (tmp_path / "cats/empty.png").touch()
    lines = call("init", "--dry-run", tmp_path).out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("note: "))
    assert lines[start:] == [
        "note: 2 duplicates of other images (kept in one part)",
        "  'cats/03.png' = 'cats/again.png' = 'dogs/stray.png'",
        "note: 1 image stands under two labels",
        "  'cats/03.png' ('cats') = 'cats/again.png' ('cats') = 'dogs/stray.png' ('dogs')",
        "note: 1 file left out because it cannot be read as an image",
        "  'cats/empty.png': an empty file",
    ]
    assert lines[start - 1].split("; ")[-1].endswith(" KiB")
