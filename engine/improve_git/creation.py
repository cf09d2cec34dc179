"""Making a pipeline: look at the images, design, write the repository, all or nothing."""

import glob
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from improve_git import templates
from improve_git.domain import FILES, Context
from improve_git.errors import DataError, ImproveError, PipelineError, TeamError
from improve_git.files import abandoned, partial_prefix
from improve_git.git import Repository, top_level
from improve_git.iteration.briefing import ABOUT, first_context
from improve_git.pipeline import STATE, Snapshot
from improve_git.teams.base import Team
from improve_git.trail import writing

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet
    from improve_git.datasets.scan import Progress
    from improve_git.settings.schema import Settings

IGNORED = f"/{STATE}/\n__pycache__/\n*.pt\n"


@dataclass(frozen=True)
class Plan:
    """What `init` has found out and would make."""

    target: Path
    settings: "Settings"
    data_set: "DataSet"
    disk_bytes: int  # that the packs will take
    about: str = ""  # the user's description of the data set


def default_target(images: str) -> Path:
    """Return the folder that a pipeline goes to where none is named: ``photos-pipeline``."""
    name = Path(images).absolute().name if images != "digits" else images
    return Path.cwd() / f"{name.removesuffix('.csv').removesuffix('.parquet')}-pipeline"


def check_target(target: Path) -> None:
    """Raise PipelineError where no new repository can be made at ``target``."""
    fix = "name another folder: improve-git init IMAGES PIPELINE"
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise PipelineError(f"{target} exists and is not a folder", fix)
    if target.is_dir() and any(target.iterdir()):
        raise PipelineError(f"{target} is not empty", fix)
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise PipelineError(f"{parent} is not a folder", fix)
    around = top_level(target if target.is_dir() else parent)
    if around and not Repository(around).ignores(target.absolute()):
        raise PipelineError(
            f"{target} lies in another Git repository, {around}",
            f"{fix}, or let that repository ignore it (.gitignore)",
        )
    try:
        with tempfile.TemporaryFile(dir=parent):  # where it is made before it gets its name
            pass
    except OSError as error:
        raise PipelineError(f"{parent} is not writable: {error.strerror}", fix) from error


def plan(
    images: str,
    target: Path,
    overrides: Sequence[str],
    progress: "Progress | None" = None,
    about: str = "",
) -> Plan:
    """Read the images and settle the settings; writes nothing.

    Raises:
        DataError, SettingsError: the images or the settings cannot be used.
    """
    from improve_git.datasets.packs import packs_size
    from improve_git.datasets.scan import read_data_set
    from improve_git.settings.compose import compose

    if not images:
        raise DataError("no images are named", "name a folder, a manifest or the word digits")
    if images != "digits" and target.absolute().is_relative_to(Path(images).absolute()):
        raise PipelineError(
            f"the pipeline {target} would lie among the images",
            "name another folder: improve-git init IMAGES PIPELINE",
        )
    settings = compose("", overrides)
    settings.data.images = images if images == "digits" else str(Path(images).absolute())
    data_set = read_data_set(settings.data.images, settings.data, progress)
    return Plan(target, settings, data_set, packs_size(data_set, settings.data.cache_side), about)


def create(found: Plan, team_at: Callable[[Path], Team]) -> Repository:
    """Make the pipeline's repository at the plan's target; on any error nothing is left there.

    Args:
        found: what is to be made.
        team_at: makes the team, given the folder of the pipeline's state, where it may keep
            transcripts. What agents have said is kept where the design fails: it has been paid.

    Raises:
        PipelineError: the target cannot be used.
        TeamError, LlmError, BudgetSpent: the team has no design.
    """
    check_target(found.target)
    target = found.target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in abandoned(target.parent, f".{glob.escape(target.name)}.*"):
        if not (left / STATE / "transcripts").exists():  # what agents said there has been paid
            shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=partial_prefix(target.name), dir=target.parent))
    try:
        _write(Repository.create(partial), found, team_at(partial / STATE))
        partial.chmod(0o755)
        partial.replace(target)
    except ImproveError as error:
        if kept := _keep_transcripts(partial / STATE / "transcripts"):
            error.message += f" (what was said is kept in {kept})"
        raise
    finally:
        # An interrupt may come while Git still writes there: again, until nothing is left.
        for _ in range(20):
            shutil.rmtree(partial, ignore_errors=True)
            if not partial.exists():
                break
            time.sleep(0.05)
    return Repository(target)


def _keep_transcripts(folder: Path) -> Path | None:
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    kept = Path(tempfile.mkdtemp(prefix="improve-git-transcripts-"))
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    return kept


def engine_files(found: Plan) -> dict[str, str]:
    """Return the files of a new pipeline that are not its components."""
    from improve_git.settings.improve_yaml import improve_yaml

    settings = found.settings
    files = {
        ".gitignore": IGNORED,
        "README.md": templates.render("README.md.j2", name=found.target.absolute().name,
                                      profile=found.data_set.profile,
                                      classes=list(found.data_set.classes),
                                      metric=settings.metric.name),
        "dataset.json": found.data_set.to_json(),
        "improve.yaml": improve_yaml(settings),
        "run.py": templates.render("run.py.j2", seed=settings.seed,
                                   cache_side=settings.data.cache_side,
                                   label_preserving=sorted(settings.data.label_preserving)),
    }  # fmt: skip
    return files | ({ABOUT: found.about} if found.about else {})


def described(found: Plan) -> str:
    """Return the data set in a few words."""
    images, classes = found.data_set.profile["images"], len(found.data_set.classes)
    return f"{images:,} images in {classes} classes"


def _write(repo: Repository, found: Plan, team: Team) -> None:
    design = team.design(design_context(found), found.settings.epochs)
    missing = sorted({*FILES.values()} - {*design.files})
    if missing:
        raise TeamError(f"the design has no {missing[0]}")
    writing.found(repo, engine_files(found), described(found), design, team.name)
    repo.git("read-tree", "-m", "-u", "HEAD")


def design_context(found: Plan) -> Context:
    """Return what the architect is told of the data and the machine."""
    return first_context(Snapshot({}, found.settings, found.data_set), found.about)
