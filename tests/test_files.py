import os
import stat
import subprocess

import pytest

from improve_git import files
from improve_git.files import clear_abandoned, new_folder, shipped, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_shipped_finds_the_checkouts_folders():
    assert (shipped("component_templates") / "playbook.yaml").parent.is_dir()
    assert shipped("sandbox").name == "sandbox"
    assert (shipped("attacks") / "catalogue.yaml").is_file()
    with pytest.raises(FileNotFoundError, match="tests2"):
        shipped("tests2")


def test_shipped_prefers_what_the_wheel_carries(tmp_path, monkeypatch):
    package = tmp_path / "lib" / "improve_git"
    (package / "_shipped" / "sandbox").mkdir(parents=True)
    (tmp_path / "sandbox").mkdir()
    monkeypatch.setattr(files, "_PACKAGE", package)
    assert shipped("sandbox") == package / "_shipped" / "sandbox"


def test_write_atomically(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, "zwei ö")
    assert path.read_text(encoding="utf-8") == "zwei ö"
    assert names(tmp_path) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_write_atomically_keeps_the_old_content(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "folder", "text")
    assert names(tmp_path) == ["folder"]


def test_new_folder(tmp_path):
    with new_folder(tmp_path / "deep" / "made") as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "file").write_text("text")
        assert not (tmp_path / "deep" / "made").exists()
    made = tmp_path / "deep" / "made"
    assert names(tmp_path / "deep") == ["made"]
    assert (made / "inner" / "file").read_text() == "text"
    for path in (made, made / "inner", made / "inner" / "file"):
        assert path.stat().st_mtime == 0


def test_new_folder_leaves_nothing_of_a_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "made") as partial:
        (partial / "file").touch()
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_new_folder_clears_its_own_leftovers_only(tmp_path):
    for name in (".made.partial-1", ".other.partial-1"):
        (tmp_path / name).mkdir()
    with new_folder(tmp_path / "made"):
        pass
    assert names(tmp_path) == [".other.partial-1", "made"]


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    here = os.getpid()
    for name in (f".a.json.partial-{gone.pid}-x", f".a.json.partial-{here}-y", ".hidden", "a.json"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / name).touch()
    (tmp_path / f".made.partial-{gone.pid}-z" / "inner").mkdir(parents=True)
    clear_abandoned(tmp_path)
    assert names(tmp_path) == ["deep"]
    assert names(tmp_path / "deep") == [f".a.json.partial-{here}-y", ".hidden", "a.json"]


def test_what_is_half_made_is_hidden_and_names_who_makes_it(tmp_path):
    with new_folder(tmp_path / "made") as partial:
        assert partial.name.startswith(f".made.partial-{os.getpid()}-")
