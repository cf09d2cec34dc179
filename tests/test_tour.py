"""The tour and the README show what the commands print, on the real run in docs/tour."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from improve_git.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tour() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tour", ROOT / "benchmarks" / "tour.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tour: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    found = tmp_path_factory.mktemp("tour")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(found))
        tour.unpack(found)
        yield found


@pytest.mark.parametrize("page", ["docs/tour.md", "README.md"])
def test_every_command_prints_what_the_page_shows(
    tour: ModuleType, folder: Path, page: str
) -> None:
    text = (ROOT / page).read_text()
    assert tour.fill(text, folder, recorded=False) == text, "run: python benchmarks/tour.py"


def test_no_output_is_left_out(tour: ModuleType) -> None:
    for page in tour.PAGES:
        for block in tour.BLOCK.findall(page.read_text()):
            assert block[2], block[1]


def test_the_tour_has_every_command_that_works_on_a_pipeline() -> None:
    text = (ROOT / "docs" / "tour.md").read_text()
    named = {name for table in COMMANDS.values() for name in table}
    missing = [name for name in named if f"improve-git {name}" not in text]
    assert sorted(missing) == ["doctor", "weights"]
