"""Making a pipeline of a project that is there: its history stays, one commit sets it up.

Everything is looked at first, and whatever is in the way is told at once, with what mends it;
nothing is written then. The project's own files are never changed, but for a line of .gitignore.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from improve_git.advice import advise
from improve_git.creation import Plan, described, engine_files
from improve_git.domain import FILES
from improve_git.errors import PipelineError
from improve_git.files import abandoned, partial_prefix
from improve_git.git import ENGINE, NO_COMMIT, GitFailed, Person, Repository, top_level
from improve_git.journal import Journal
from improve_git.pipeline import OWN_FILES, STATE, state_of
from improve_git.trail import writing
from improve_git.trail.history import MAIN
from improve_git.trail.landing import land, recover

IGNORE = ".gitignore"
THEIRS = ("README.md", "run.py", IGNORE)  # that a project may have of its own
NEEDED = tuple(name for name in OWN_FILES if name not in FILES.values())
MOST_FILES = 200  # other Python files that are looked at
MOST_BYTES = 200_000  # of one of them


@dataclass(frozen=True)
class Project:
    """A project that can be adopted."""

    folder: Path
    repo: Repository | None  # None: a plain folder
    kept: tuple[str, ...]  # files that the engine would have written, and that are the user's


def check(folder: Path) -> Project:
    """Look at a project, and return it where it can be adopted as it is.

    Raises:
        PipelineError: it cannot; names everything that is in the way.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise PipelineError(f"{folder} is not a folder", "name the folder of data.py, model.py, "
                            "train.py; for a new pipeline: improve-git init")  # fmt: skip
    repo = _repository(folder)
    committed = {}
    problems: list[str] = []
    if repo:
        tip = repo.resolve(MAIN)
        committed = repo.blobs(tip) if tip else {}
        if all(name in committed for name in OWN_FILES):
            raise PipelineError(f"{folder} is a pipeline already", "improve-git run")
        problems += _git_problems(repo, tip)
        problems += _uncommitted(repo, folder, committed, tip)
    for name in (*NEEDED, STATE):
        if name in committed or (folder / name).exists():
            move = "git mv" if repo and name in committed else "mv"
            problems.append(f"{name} is there, a name that the engine needs: {move} {name} ANOTHER")
    # As they lie there: where they are committed otherwise, that is in the way by itself.
    files = {name: _text(folder / name) for name in FILES.values() if (folder / name).is_file()}
    problems += advise(files, _other_files(folder))
    if problems:
        count = f"{len(problems)} things are" if len(problems) > 1 else "one thing is"
        raise PipelineError("\n  ".join([f"{folder} is as it was, {count} in the way:", *problems]),
                            "mend and commit this there, then the same command again")  # fmt: skip
    kept = (name for name in THEIRS if name in committed or (folder / name).exists())
    return Project(folder, repo, tuple(kept))


def adopt(project: Project, found: Plan) -> Repository:
    """Commit on main what makes a pipeline of a project that was checked.

    Raises:
        LandingWaits: a file that lies there is in the way.
        RefMoved: main has moved meanwhile.
    """
    repo = project.repo or _begin(project)
    main = repo.git("rev-parse", MAIN)
    files = {n: text for n, text in engine_files(found).items() if n not in project.kept}
    if IGNORE in project.kept:
        files |= _ignoring(repo.read(main, IGNORE))
    tip = writing.set_up(repo, main, files, described(found))
    land(repo, Journal(state_of(repo) / "journal"), tip, main)
    return repo


def _repository(folder: Path) -> Repository | None:
    """Return the repository whose top a folder is, finishing what a kill cut short there."""
    top = top_level(folder)
    if top is None:
        return None
    if top.resolve() != folder.resolve():
        if Repository(top).ignores(folder):
            return None
        raise PipelineError(
            f"{folder} lies in another Git repository, {top}",
            "a pipeline is a repository of its own: adopt that one, or copy the folder elsewhere",
        )
    repo = Repository(top)
    if repo.git("rev-parse", "--is-bare-repository") == "true":
        raise PipelineError(f"{folder} is a bare repository", "adopt a clone of it, and push that")
    journal = Journal(state_of(repo) / "journal")
    if journal.last("landing") and not repo.git("ls-files", "--", STATE):
        recover(repo, journal)
    return repo


def _git_problems(repo: Repository, tip: str | None) -> Iterator[str]:
    """Say what of the repository's state is in the way."""
    branch = ""
    with suppress(GitFailed):  # no branch is checked out
        branch = repo.git("symbolic-ref", "--quiet", "--short", "HEAD")
    born = repo.resolve("HEAD") is not None
    if not born:
        yield f"it has no commit yet: git add {' '.join(FILES.values())} && git commit"
    if branch != "main" and tip:
        yield f"{branch or 'no branch'} is checked out, and main is improved: git switch main"
    elif branch != "main" and born:
        yield f"its branch must be named main: git branch -m {branch or 'BRANCH'} main"
    elif branch != "main":
        yield "its branch must be named main: git symbolic-ref HEAD refs/heads/main"
    if repo.resolve("refs/heads/improve"):
        yield (
            "a branch named improve is in the way of the attempts' branches improve/NNNN-...: "
            "git branch -m improve ANOTHER-NAME"
        )
    if repo.git("rev-parse", "--is-shallow-repository") == "true":
        yield "its history is cut off: git fetch --unshallow"
    if repo.resolve("MERGE_HEAD"):
        yield "a merge is under way: git merge --continue, or git merge --abort"


def _uncommitted(
    repo: Repository, folder: Path, committed: Mapping[str, str], tip: str | None
) -> Iterator[str]:
    """Name the files that count and are not committed as they lie there."""
    names = [*FILES.values(), IGNORE]
    for name in names:
        if name not in committed and (folder / name).exists() and tip:
            yield f"{name} is not committed on main: git add {name} && git commit {name}"
    if repo.resolve("HEAD") is None:
        return
    said = repo.git("diff", "--name-only", "--no-ext-diff", "-z", "HEAD", "--", *names,
                    env={"GIT_OPTIONAL_LOCKS": "0"})  # fmt: skip
    if edited := " ".join(name for name in said.split("\0") if name in committed):
        yield f"{edited}: edits are not committed: git commit {edited}, or git stash"


def _other_files(folder: Path) -> dict[str, str]:
    """Return the project's other Python files, its packages' too."""
    found = [*sorted(folder.glob("*.py")), *sorted(folder.glob("[!._]*/*.py"))]
    paths = {path.relative_to(folder).as_posix(): path for path in found}
    most = [(name, path) for name, path in paths.items() if name not in FILES.values()]
    return {name: _text(path) for name, path in most[:MOST_FILES] if name != "run.py"}


def _text(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(MOST_BYTES + 1).decode("utf-8", "surrogateescape")
    return ""


def _ignoring(text: str) -> dict[str, str]:
    """Return a .gitignore with the line that keeps the engine's folder out, if it lacks it."""
    if {STATE, f"{STATE}/", f"/{STATE}", f"/{STATE}/"} & {*text.splitlines()}:
        return {}
    return {IGNORE: f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}/{STATE}/\n"}


def _begin(project: Project) -> Repository:
    """Make a repository of a plain folder, with the project's files as its first commit.

    It is made beside them and put in place by one move.
    """
    folder = project.folder
    for left in abandoned(folder, ".git.partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=partial_prefix("git"), dir=folder) as partial:
        made = Repository.create(Path(partial))
        texts = {
            name: (folder / name).read_bytes().decode("utf-8", "surrogateescape")
            for name in (*FILES.values(), *project.kept)
        }
        tree = made.write_tree(None, texts)
        tip = made.commit(tree, [], "Begin with the project as it is\n", _user(made))
        made.update_ref(MAIN, tip, NO_COMMIT, "adopt")
        made.git("read-tree", tip)
        (Path(partial) / ".git").rename(folder / ".git")
    repo = Repository(folder)
    with suppress(GitFailed):  # which says only that some file has edits
        repo.git("update-index", "-q", "--refresh")
    return repo


def _user(repo: Repository) -> Person:
    """Return who Git says the user is; the engine where it knows nobody."""
    with suppress(GitFailed):
        return Person(repo.git("config", "user.name"), repo.git("config", "user.email"))
    return ENGINE
