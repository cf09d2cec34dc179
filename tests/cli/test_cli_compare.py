import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Call
from json_page import keys_of, keys_on_page
from PIL import Image

from improve_git.git import Repository
from improve_git.trail.history import FETCH_NOTES, read_history
from worlds import BETTER, CRASH, WORSE, make_photos, make_world, ticking_clock

MOVES = [("model", "wider", BETTER), ("train", "longer", WORSE), ("train", "rush", CRASH)]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a pipeline with a merge, a rejected and a failed attempt; not to be changed."""
    folder = tmp_path_factory.mktemp("compare")
    with ticking_clock():
        w = make_world(make_photos(folder / "photos"), folder / "pipeline", MOVES)
        w.run()
        yield w.pipeline.repo.folder


def test_the_screen(compared: Path, call: Call) -> None:
    main = read_history(Repository(compared)).main
    said = call("compare", "baseline", "main", "-C", compared)
    assert (said.code, said.err) == (0, "")
    classes = said.out.partition("recall by class, on val\n")
    assert (
        classes[0]
        == f"""\
A  the baseline       accuracy 0.6000  {main[0].commit[:10]}
B  0001 model: wider  accuracy 0.8000  {main[1].commit[:10]}

gain  +20.00 points, standard error 4.50 points
95 %  +11.04 to +28.96 points
      B is better than A, confidence 0.9999
      over seed 0
      what other seeds would change is not known, so it is not in there
      on val, optimistic: a search kept the best

answers on the 80 images of val
           B right  B wrong
  A right       48        0
  A wrong       16       16

"""
    )
    assert classes[2].splitlines()[0].split() == ["class", "images", "A", "B", "change"]
    assert [line.split()[0] for line in classes[2].splitlines()[1:]] == ["cats", "dogs"]


def test_who_is_better(compared: Path, call: Call) -> None:
    said = [call("compare", *words, "-C", compared).out for words in (("main", "0"), ("1", "1"))]
    assert "A is better than B, confidence 0.9999" in said[0]
    assert "no difference that these 80 images can tell from luck" in said[1]


def test_json_names_what_the_page_names(compared: Path, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "differ.png"
    said = call("compare", "0", "main", "-C", compared, "--json", "--sheet", file)
    found = json.loads(said.out)
    assert sorted(keys_of(found)) == sorted(keys_on_page("compare"))
    assert found["sheet"] == {"file": str(file), "images": 16, "left_out": 0, "unreadable": 0}
    assert len(found["paired"]["differ"]) == 16
    for one in found["paired"]["differ"]:
        assert one["b"] == [one["label"]] == [one["path"].partition("/")[0]]
        assert one["a"] == ["dogs" if one["label"] == "cats" else "cats"]


def test_the_sheet(compared: Path, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "differ.png"
    said = call("compare", "0", "main", "-C", compared, "--sheet", file)
    assert said.out.endswith(f"\n16 images drawn: {file}\n")
    with Image.open(file) as image:
        assert (image.format, image.width) == ("PNG", 1216)
    said = call("compare", "1", "main", "-C", compared, "--sheet", tmp_path / "none.png")
    assert said.out.endswith(
        "\nno sheet: there is no image that one of them gets right more often\n"
    )
    assert not (tmp_path / "none.png").exists()
    said = call("compare", "0", "main", "-C", compared, "--sheet", tmp_path / "no" / "x.png")
    assert (said.code, "is not a folder" in said.err) == (1, True)


def test_the_sheet_overwrites_an_older_one_and_no_other_file(
    compared: Path, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(file)
    before = file.read_bytes()
    said = call("compare", "0", "main", "-C", compared, "--sheet", file)
    assert said.code == 1
    assert said.err == (
        f"error: {file} is there, and not made by this command\n  fix: name another file\n"
    )
    assert file.read_bytes() == before
    file.unlink()
    for _ in range(2):
        assert call("compare", "0", "main", "-C", compared, "--sheet", file).code == 0


def test_without_the_images_the_scores_compare(compared: Path, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "differ.png"
    (tmp_path / "empty").mkdir()
    for place in ("gone", "empty"):
        word = f"data.images={tmp_path / place}"
        if place == "gone":  # where they were found last does not help either
            shutil.copytree(compared, tmp_path / "pipeline")
            (tmp_path / "pipeline" / ".improve" / "images-at").unlink(missing_ok=True)
        said = call("compare", "0", "main", word, "-C", tmp_path / "pipeline", "--sheet", file)
        assert said.code == 1
        assert "gain  +20.00 points" in said.out
        assert "data.images=FOLDER" in said.err
        plain = call("compare", "0", "main", word, "-C", tmp_path / "pipeline", "--json",
                     "--sheet", file)  # fmt: skip
        assert (plain.code, json.loads(plain.out)["sheet"]) == (1, None)
    assert not file.exists()


def test_a_clone_without_records_compares_the_scores(
    compared: Path, call: Call, tmp_path: Path
) -> None:
    Repository(tmp_path).git("clone", "-q", "--no-local", str(compared), "clone")
    said = call("compare", "0", "main", "-C", tmp_path / "clone")
    assert (said.code, said.err) == (0, "")
    assert "\ngain  +20.00 points\n" in said.out
    assert said.out.count(f"  {FETCH_NOTES}\n") == 1
    assert "answers on" not in said.out
    said = call("compare", "0", "main", "-C", tmp_path / "clone", "--sheet", tmp_path / "x.png")
    assert said.err.endswith(f"  fix: {FETCH_NOTES}\n")


def test_of_a_loss_less_is_better(tmp_path: Path, call: Call) -> None:
    photos = make_photos(tmp_path / "photos")
    w = make_world(photos, tmp_path / "pipeline", MOVES[:1], words=("metric=log_loss",))
    w.run()
    said = call("compare", "0", "main", "-C", w.pipeline.repo.folder).out
    # 16 images of 80 go from the loss of a wrong answer to that of a right one: by 1 each.
    assert "\ngain  -0.2000, standard error 0.0450\n95 %  -0.2896 to -0.1104\n" in said
    assert "\n      B is better than A, confidence 0.9999\n" in said
    found = json.loads(call("compare", "0", "1", "-C", w.pipeline.repo.folder, "--json").out)
    assert found["paired"]["gain"]["low"] == pytest.approx(0.1104, abs=1e-4)


def test_class_names_of_any_kind(tmp_path: Path, call: Call) -> None:
    photos = make_photos(tmp_path / "photos")
    (photos / "cats").rename(photos / "a\x1b[31m\n\u202e")
    (photos / "dogs").rename(photos / ("\u732b\U0001f408\u200d" * 10 + "\udcff"))
    w = make_world(photos, tmp_path / "pipeline", MOVES[:1])
    w.run()
    words = ("-C", w.pipeline.repo.folder, "--sheet", tmp_path / "differ.png")
    for said in (call("compare", "0", "1", *words), call("compare", "0", "1", "--json", *words)):
        assert (said.code, said.err) == (0, "")
        assert said.out.replace("\n", "").isprintable()
    assert call("show", "1", *words[:2]).out.replace("\n", "").isprintable()
    with Image.open(tmp_path / "differ.png") as image:
        assert image.width == 1216


def test_what_does_not_compare(compared: Path, call: Call) -> None:
    said = call("compare", "3", "main", "-C", compared)
    assert said.code == 1
    assert said.err == (
        "error: 0003 has no score: crashed: as scripted\n"
        "  fix: compare two that log tells a score of\n"
    )
    assert call("compare", "0", "nowhere", "-C", compared).code == 1
    assert call("compare", "0", "main", "more", "-C", compared).code == 2
