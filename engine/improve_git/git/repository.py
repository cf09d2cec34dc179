"""A repository's operations. Plumbing only: no checkout, no hook, no signing, no editor."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from improve_git.git import process
from improve_git.git.process import GitFailed, Person

NO_COMMIT = "0" * 40
NOTES = "refs/notes/improve"
# Settings of the user's that would run something or change bytes; off for every call.
_QUIET = [
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "commit.gpgSign=false",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.quotePath=false",
    "-c", "i18n.commitEncoding=UTF-8", "-c", "log.showSignature=false",
    "-c", "core.logAllRefUpdates=always",
]  # fmt: skip


class Commit(NamedTuple):
    """A commit as the log tells it. A long log has thousands, so it is made of little."""

    sha: str
    parents: tuple[str, ...]
    tree: str
    author: Person
    date: str  # ISO 8601, strict
    message: str

    @property
    def subject(self) -> str:
        """The message's first line."""
        return self.message.split("\n", 1)[0]


class RefMoved(GitFailed):
    """A reference did not hold the expected old value."""


def top_level(folder: Path) -> Path | None:
    """Return the work tree (or bare repository) that ``folder`` lies in, None where there is none.

    Raises:
        GitError: Git refuses to look (for instance safe.directory).
    """
    try:
        return Path(Repository(folder).git("rev-parse", "--show-toplevel"))
    except GitFailed as error:
        if "not a git repository" in error.stderr:
            return None
        if "must be run in a work tree" in error.stderr:
            return Path(Repository(folder).git("rev-parse", "--absolute-git-dir"))
        raise


class Repository:
    """One repository. Holds no open handles; every method is one or two Git commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> "Repository":
        """Make an empty repository whose first branch is main, without the user's templates."""
        process.execute(
            [], ["init", "--quiet", "--template=", "--initial-branch=main", str(folder)]
        )
        return cls(folder)

    def git(
        self,
        *command: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run one Git command and return what it printed, without the final newline.

        Raises:
            GitFailed: it ended with an error.
        """
        said = process.execute(_QUIET, command, cwd or self.folder, stdin, env)
        return said.decode("utf-8", "surrogateescape").removesuffix("\n")

    # Reading

    def ignores(self, folder: Path) -> bool:
        """Say whether a folder, there or not, is left out of this repository by .gitignore."""
        with suppress(GitFailed):
            self.git("check-ignore", "--quiet", f"{folder}/")
            return True
        return False

    def common_dir(self) -> Path:
        """Return the folder of objects and references that all work trees share."""
        return Path(self.git("rev-parse", "--path-format=absolute", "--git-common-dir"))

    def resolve(self, rev: str) -> str | None:
        """Return the commit that ``rev`` names, None where there is none."""
        with suppress(GitFailed):
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^0")
        return None

    def branches(self) -> dict[str, str]:
        """Return every local and remote branch, full reference name to commit."""
        said = self.git(
            "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/remotes"
        )
        return {ref: sha for sha, ref in (line.split(" ", 1) for line in said.splitlines())}

    def log(self, *arguments: str) -> list[Commit]:
        """Return commits, newest first, as `git log ARGUMENTS` finds them."""
        return list(self.commits(*arguments))

    def commits(self, *arguments: str) -> Iterator[Commit]:
        """Yield the same commits one by one, while Git still reads the next."""
        form = "%H%x00%P%x00%T%x00%an%x00%ae%x00%aI%x00%B"
        command = ["log", "-z", f"--format={form}", "--no-show-signature", "--encoding=UTF-8"]
        columns = [process.fields(_QUIET, [*command, *arguments], self.folder)] * 7
        people: dict[tuple[str, str], Person] = {}  # thousands of commits are by a few
        for sha, parents, tree, name, email, date, message in zip(*columns, strict=False):
            author = people.get((name, email))
            if author is None:
                author = people[name, email] = Person(name, email)
            yield Commit(sha, tuple(parents.split()), tree, author, date, message)

    def committers(self, *arguments: str) -> dict[str, Person]:
        """Return who committed each of the commits that `git log ARGUMENTS` finds."""
        said = self.git("log", "-z", "--format=%H%x00%cn%x00%ce", "--encoding=UTF-8", *arguments)
        columns = [iter(said.split("\0"))] * 3
        return {sha: Person(name, email) for sha, name, email in zip(*columns, strict=False)}

    def blobs(self, rev: str) -> dict[str, str]:
        """Return the files of a commit's tree, path to blob."""
        said = self.git("ls-tree", "-r", "-z", rev)
        entries = (entry.split("\t", 1) for entry in said.split("\0") if entry)
        return {path: meta.split()[2] for meta, path in entries}

    def entries(self, rev: str) -> dict[str, str]:
        """Return what lies at the top of a commit's tree: name to mode, type and object."""
        said = self.git("ls-tree", "-z", rev)
        pairs = (entry.split("\t", 1) for entry in said.split("\0") if entry)
        return {name: meta for meta, name in pairs}

    def damages(self) -> list[str]:
        """Return what Git's own check of all objects finds: those whose content is another."""
        try:
            self.git("fsck", "--full", "--no-dangling", "--no-progress")
        except GitFailed as error:
            return error.stderr.splitlines() or ["git fsck ends with an error"]
        return []

    def read(self, rev: str, path: str) -> str:
        """Return the text of one file of a commit.

        Raises:
            GitFailed: there is no such file.
        """
        return self.read_blob(f"{rev}:{path}")

    def read_blob(self, sha: str) -> str:
        """Return the text of a blob, to the byte."""
        text = process.execute(_QUIET, ["cat-file", "blob", sha], self.folder)
        return text.decode("utf-8", "surrogateescape")

    def blob_names(self, names: Sequence[str]) -> list[str]:
        """Return the object that each ``REV:PATH`` or revision names, empty where there is none."""
        if not names:
            return []
        asked = "".join(f"{name}\n" for name in names).encode()
        said = self.git("cat-file", "--batch-check=%(objectname)", stdin=asked)
        return [line if " " not in line else "" for line in said.splitlines()]

    def texts(self, names: Sequence[str]) -> list[str]:
        """Return the text of the blob that each ``REV:PATH`` names, empty where there is none."""
        asked = "".join(f"{name}\n" for name in names).encode()
        said = process.execute(_QUIET, ["cat-file", "--batch"], self.folder, asked)
        found = []
        for _ in names:
            head, _, said = said.partition(b"\n")
            _, kind, *size = head.split(b" ")  # or NAME "missing"
            end = int(size[0]) if size else 0
            text = said[:end] if kind == b"blob" else b""
            found.append(text.decode("utf-8", "surrogateescape"))
            said = said[end + 1 :] if size else said
        return found

    def is_ancestor(self, old: str, new: str) -> bool:
        """Say whether ``old`` is reachable from ``new``."""
        # Not rev-list: where the clock has jumped back, it stops looking too early.
        found = self.merge_base(old, new)
        return found is not None and found == self.resolve(old)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None where there is none."""
        with suppress(GitFailed):
            return self.git("merge-base", one, other)
        return None

    def work_trees(self, branch: str) -> list[Path]:
        """Return the work trees that have ``branch`` checked out."""
        found: list[Path] = []
        for block in self.git("worktree", "list", "--porcelain").split("\n\n"):
            lines = block.splitlines()
            if lines and f"branch refs/heads/{branch}" in lines and "bare" not in lines:
                found.append(Path(lines[0].removeprefix("worktree ")))
        return [path for path in found if self._is_work_tree(path)]

    def _is_work_tree(self, folder: Path) -> bool:
        """Say whether a listed folder is still a work tree of this repository, not its ruin."""
        if not (folder / ".git").exists():
            return False
        if folder == self.folder:
            return True
        with suppress(GitFailed):
            return Repository(folder).common_dir().resolve() == self.common_dir().resolve()
        return False

    # Writing

    def write_blob(self, data: bytes) -> str:
        """Store bytes as a blob, unfiltered, and return its name."""
        return self.git("hash-object", "-w", "--stdin", "--no-filters", stdin=data)

    def write_tree(self, base: str | None, changes: Mapping[str, str]) -> str:
        """Return the tree of ``base`` (None: empty) with some files' texts put in its place.

        The files lie at the top. No index is used: neither the user's, which is not touched, nor a
        temporary one, which a kill would leave behind.
        """
        entries = self.entries(base) if base else {}
        for path, text in changes.items():
            if "/" in path:
                raise ValueError(f"{path} is not at the top")
            mode = entries.get(path, "100644").split(" ", 1)[0]
            blob = self.write_blob(text.encode("utf-8", "surrogateescape"))
            entries[path] = f"{mode} blob {blob}"
        tree = "".join(f"{meta}\t{path}\0" for path, meta in entries.items())
        return self.git("mktree", "-z", stdin=tree.encode("utf-8", "surrogateescape"))

    def commit(self, tree: str, parents: Sequence[str], message: str, author: Person) -> str:
        """Store a commit (the engine is the committer) and return its name; moves no reference."""
        options = [word for parent in parents for word in ("-p", parent)]
        env = {"GIT_AUTHOR_NAME": author.name, "GIT_AUTHOR_EMAIL": author.email}
        return self.git("commit-tree", tree, *options, stdin=message.encode(), env=env)

    def update_ref(self, ref: str, new: str, old: str, reason: str) -> None:
        """Move a reference from ``old`` (NO_COMMIT: it must not exist) to ``new``.

        Raises:
            RefMoved: the reference does not hold ``old``.
        """
        try:
            self.git("update-ref", "--create-reflog", "-m", f"improve-git: {reason}", ref, new, old)
        except GitFailed as error:
            holds = self.git("for-each-ref", "--format=%(objectname)", ref) or NO_COMMIT
            if holds == old:
                raise  # a stale lock, a full disk: trying again would not help
            raise RefMoved(["update-ref", ref], error.stderr) from error

    def notes(self) -> dict[str, str]:
        """Return the notes under refs/notes/improve, commit to blob."""
        with _whole_notes():
            if not self.git("for-each-ref", NOTES):
                return {}
            said = self.git("notes", "--ref", NOTES, "list")
        return {commit: blob for blob, commit in (line.split() for line in said.splitlines())}

    def add_note(self, commit: str, blob: str) -> None:
        """Attach a stored blob to a commit as its record, in place of any other."""
        with _whole_notes():
            self.git("notes", "--ref", NOTES, "add", "--force", "-C", blob, commit)


@contextmanager
def _whole_notes() -> Iterator[None]:
    try:
        yield
    except GitFailed as error:
        # Nothing is lost with them: each verdict names its record.
        error.fix = error.fix or (
            f"if the notes are damaged: git update-ref -d {NOTES}; the next run attaches all anew"
        )
        raise
