"""A pipeline on disk: its repository, its state folder, and what is scored of a commit of it."""

import copy
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve_git.domain import FILES
from improve_git.errors import PipelineError, SettingsError
from improve_git.files import clear_abandoned, partial_prefix
from improve_git.git import GitFailed, Repository, require_git, top_level
from improve_git.journal import Journal
from improve_git.trail.history import MAIN

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet
    from improve_git.settings.schema import Settings

STATE = ".improve"  # the folder beside the files: journal, caches, transcripts
MOST_TEXT = 100_000  # bytes that are read of a text of the user's
OWN_FILES = (*FILES.values(), "improve.yaml", "dataset.json")


@dataclass(frozen=True)
class Snapshot:
    """What is scored of one commit: the three files, the settings, the data set."""

    files: dict[str, str]
    settings: "Settings"
    data_set: "DataSet"

    def seeded(self, seed: int) -> "Snapshot":
        """Return the same, trained with another seed."""
        return replace(self, settings=replace(self.settings, seed=seed))

    def key(self, image: str) -> str:
        """Return the name under which a result of this content in that environment is kept."""
        from improve_git.settings.compose import scored

        return content_key(self.files, scored(self.settings), self.data_set, image)


def content_key(
    files: Mapping[str, str], scored: Mapping[str, Any], data_set: "DataSet", image: str
) -> str:
    """Return the name of a result: of the files, under the scored settings, on the data."""
    import hashlib

    content = {
        "files": files,
        "settings": scored,
        "dataset": data_set.fingerprint,
        "statistics": [data_set.profile["mean"], data_set.profile["std"]],
        "parts": [entry.part for entry in data_set.entries],
        "image": image,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Pipeline:
    """A repository that `improve-git init` made, or a clone of one, bare ones included."""

    def __init__(self, repo: Repository, state: Path, overrides: Sequence[str] = ()) -> None:
        self.repo = repo
        self.state = state
        self.overrides = tuple(overrides)
        self.results = state  # where the journal and the trained weights are
        self.journal = Journal(self.results / "journal")
        self._data_sets: dict[str, DataSet] = {}
        self._settings: dict[str, Settings] = {}

    @classmethod
    def open(cls, folder: Path, overrides: Sequence[str] = ()) -> "Pipeline":
        """Open the pipeline that ``folder`` lies in.

        Raises:
            PipelineError: there is none, or a branch named `improve` is in the way.
        """
        require_git()
        if not folder.is_dir():
            raise PipelineError(f"{folder} is not a folder", "name a pipeline's folder with -C")
        top = top_level(folder)
        fix = "make one with: improve-git init IMAGES, or name one with: -C PIPELINE"
        if top is None:
            raise PipelineError(f"{folder} is not a pipeline: no Git repository", fix)
        repo = Repository(top)
        tips = [MAIN, "refs/remotes/origin/main"]
        names = ["refs/heads/improve", *(f"{tip}:{n}" for tip in tips for n in ("", *OWN_FILES))]
        in_the_way, *found = repo.blob_names(names)
        ours, theirs = found[: len(found) // 2], found[len(found) // 2 :]
        tree, *files = ours if ours[0] else theirs
        if not all(files):
            missing = OWN_FILES[files.index("")]
            lacks = f"its main has no {missing}" if tree else "it has no branch main"
            raise PipelineError(f"{top} is not a pipeline: {lacks}", fix)
        if repo.git("ls-files", "--", STATE):
            raise PipelineError(
                f"{STATE} is under version control here, so whoever wrote it would be believed",
                f"git rm -r --cached {STATE}, then look at it or delete it, and commit",
            )
        if in_the_way:
            raise PipelineError(
                "a branch named improve is in the way of the attempts' branches improve/NNNN-...",
                "rename it: git branch -m improve ANOTHER-NAME",
            )
        return cls(repo, state_of(repo), overrides)

    @contextmanager
    def aside(self) -> "Iterator[Pipeline]":
        """Lend the same pipeline without any result so far; what it comes to is not kept.

        Packs are shared. The caller holds the pipeline's lock.
        """
        import tempfile

        clear_abandoned(self.state)  # what a kill left of an earlier one; a run does the same
        prefix = partial_prefix("aside")
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self.state) as results:
            other = copy.copy(self)
            other.results = Path(results)
            other.journal = Journal(other.results / "journal")
            yield other

    @cached_property
    def label(self) -> str:
        """A short name of this pipeline, for marking its sandboxes."""
        import hashlib

        return hashlib.sha256(str(self.state.resolve()).encode()).hexdigest()[:12]

    def main(self) -> str:
        """Return the commit that main holds.

        Raises:
            PipelineError: there is no main, or only the end of its history.
        """
        if self.repo.git("rev-parse", "--is-shallow-repository") == "true":
            raise PipelineError("this clone is shallow: its history is cut off",
                                "git fetch --unshallow")  # fmt: skip
        tip = self.repo.resolve(MAIN)
        if tip is None:
            theirs = self.repo.resolve("refs/remotes/origin/main")
            raise PipelineError(
                "there is no branch main here",
                "git branch main origin/main" if theirs
                else "git branch main COMMIT; git reflog names what it held",
            )  # fmt: skip
        return tip

    def snapshot(self, rev: str) -> Snapshot:
        """Return what is scored of a commit. Settings and data set are read from that commit.

        Raises:
            SettingsError, DataError: improve.yaml or dataset.json cannot be used.
        """
        blobs = self.repo.blobs(rev)
        for name in OWN_FILES:
            if name not in blobs:
                raise PipelineError(f"{rev[:10]} has no {name}", f"put {name} back, commit it")
        files = {name: self.repo.read_blob(blobs[name]) for name in FILES.values()}
        return Snapshot(files, self.settings(rev), self.data_set(blobs["dataset.json"]))

    def settings(self, rev: str) -> "Settings":
        """Return the settings of a commit, under the words that were typed.

        Raises:
            SettingsError: a word or improve.yaml cannot be used; says where that improve.yaml is.
        """
        from improve_git.settings.compose import compose

        blob = self.repo.blobs(rev)["improve.yaml"]
        if blob not in self._settings:
            text = self.repo.read_blob(blob)
            try:
                self._settings[blob] = compose(text, self.overrides)
            except SettingsError:
                self._check_committed(rev, text)
                raise
        return self._settings[blob]

    def text(self, name: str) -> str:
        """Return a text of the user's beside the pipeline, as it stands now; "" if there is none.

        An edit counts before it is committed: it steers the agents and decides no score. Only a
        plain file is read: a link in a cloned pipeline could name a secret of this machine's.
        """
        if (self.repo.folder / ".git").exists():
            return _plain_text(self.repo.folder / name)
        with suppress(GitFailed):  # a bare clone
            return self.repo.read(MAIN, name)[:MOST_TEXT]
        return ""

    def data_set(self, blob: str) -> "DataSet":
        """Return the data set that a blob of dataset.json tells of.

        Raises:
            DataError: it is damaged.
        """
        from improve_git.datasets.dataset import DataSet

        if blob not in self._data_sets:
            self._data_sets[blob] = DataSet.from_json(self.repo.read_blob(blob))
        return self._data_sets[blob]

    def weights_file(self, key: str) -> Path:
        """Return where the trained weights of a content are kept."""
        return self.results / "weights" / f"{key[:20]}.safetensors"

    def _check_committed(self, rev: str, text: str) -> None:
        """Raise SettingsError where a commit's improve.yaml is wrong whatever words are typed."""
        from improve_git.settings.compose import compose

        try:
            compose(text)
        except SettingsError as error:
            commit = self.repo.resolve(rev) or rev
            at = f"main ({commit[:7]})" if commit == self.repo.resolve(MAIN) else commit[:7]
            told = error.message.removeprefix("improve.yaml: ")
            mend = shlex.join(["git", "-C", str(self.repo.folder), "commit", "improve.yaml"])
            if not self._is_mended(text):
                mend = "; ".join(filter(None, [error.fix, f"edit improve.yaml, then: {mend}"]))
            raise SettingsError(f"improve.yaml at {at}: {told}", mend) from None

    def _is_mended(self, text: str) -> bool:
        """Say whether the improve.yaml that lies there is another one, and right."""
        from improve_git.settings.compose import compose

        now = self.text("improve.yaml")
        with suppress(SettingsError):
            return bool(now) and now != text and bool(compose(now))
        return False


def state_of(repo: Repository) -> Path:
    """Return the folder of a repository's journal, caches and transcripts."""
    common = repo.common_dir()
    return common.parent / STATE if common.name == ".git" else common / "improve"


def _plain_text(file: Path) -> str:
    with suppress(OSError):
        # Neither follows a link nor waits for a pipe's writer.
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as content:
            if stat.S_ISREG(os.fstat(opened).st_mode):
                return content.read(MOST_TEXT).decode("utf-8", "replace")
    return ""


def scored_difference(one: Snapshot, other: Snapshot) -> set[str]:
    """Return what of the scored content differs: names of the three files, "settings", "data"."""
    from improve_git.settings.compose import scored

    found = {name for name in FILES.values() if one.files[name] != other.files[name]}
    if scored(one.settings) != scored(other.settings):
        found.add("settings")
    if one.data_set != other.data_set:
        found.add("data")
    return found
