import json
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

import pipelines
from improve_git.domain import Outcome
from improve_git.errors import SandboxError
from improve_git.sandboxes.base import ExportJob, Limits, TrainJob
from improve_git.sandboxes.job import clear_folders, lay_out, not_to_blame

LIMITS = Limits(10, 1 << 20, 10, 1 << 20, 1 << 20, 1 << 20, 2.0)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainJob:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pipelines.write_packs(tmp_path / "packs")
    model = tmp_path / "models--timm--a.b"
    model.mkdir()
    return TrainJob(
        pipelines.FILES, tmp_path / "packs", pipelines.spec(), (model,), LIMITS, "p/1-train",
        tmp_path / "weights",
    )  # fmt: skip


def test_a_folder_with_the_files_and_places_for_the_rest(job: TrainJob) -> None:
    with lay_out(job) as layout:
        entries = {
            path.relative_to(layout.folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
            for path in layout.folder.rglob("*")
        }
        about = json.loads((layout.folder / "job.json").read_text())
        assert "p_1-train" in layout.folder.name
    assert entries == {
        "code": 0o755,
        "code/data.py": 0o644,
        "code/model.py": 0o644,
        "code/train.py": 0o644,
        "hub": 0o755,
        "hub/models--timm--a.b": 0o755,
        "job.json": 0o644,
        "packs": 0o755,
        "packs/train": 0o755,
        "packs/tune": 0o755,
    }
    assert set(layout.mounts) == {"packs/train", "packs/tune", "hub/models--timm--a.b"}
    assert about == {"spec": pipelines.spec(), "cpus": 2.0, "memory_bytes": 1 << 20}
    assert not layout.folder.exists()


def test_what_the_sandbox_could_not_read_is_named_with_its_fix(job: TrainJob) -> None:
    labels = job.packs / "train" / "labels.npy"
    labels.chmod(0o600)
    with pytest.raises(SandboxError) as caught, lay_out(job):
        pass
    assert caught.value.message == f"{labels} cannot be read by the sandbox's user"
    assert caught.value.fix == f"chmod -R a+rX {job.packs / 'train'}"


def test_a_candidate_is_not_to_blame_where_something_cleans_the_temporary_folder(
    job: TrainJob,
) -> None:
    crashed, fine = Outcome("crashed", "No module named 'data'"), Outcome("ok")
    with lay_out(job) as layout:
        assert not_to_blame(crashed, layout) is crashed
        shutil.rmtree(layout.folder)
        assert not_to_blame(fine, layout) is fine
        assert not_to_blame(crashed, layout) == Outcome(
            "sandbox-error", f"{layout.folder} was removed while it was in use"
        )


def test_folders_of_killed_engines_are_cleared_by_label(job: TrainJob, tmp_path: Path) -> None:
    def made(label: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"improve-git-job-{label}-"))

    left, other = made("p_1-train"), made("q_1-train")
    assert clear_folders("p/1") == 1
    assert (left.exists(), other.exists()) == (False, True)


def test_an_export_brings_its_own_program_beside_the_harness(job: TrainJob) -> None:
    weights = job.packs.parent / "weights"
    weights.write_bytes(b"weights")
    export = ExportJob(
        job.files, job.packs / "tune", job.spec, weights, LIMITS, "p/1-export", "onnx", weights
    )
    with lay_out(export) as layout:
        brought = {path.name for path in (layout.folder / "exporter").iterdir()}
        about = json.loads((layout.folder / "job.json").read_text())
    assert brought == {"__init__.py", "__main__.py", "export.py"}
    assert about["format"] == "onnx"
    assert set(layout.mounts) == {"packs/images", "weights.safetensors"}
    assert layout.command("/h", "/job") == ["/job/exporter/__main__.py", "/h", "/job"]
    with lay_out(job) as layout:
        assert layout.command("/h", "/job") == ["/h/__main__.py", "train", "/job"]
