"""The only package that speaks to Git."""

from improve_git.git.process import ENGINE, GitFailed, Person, require_git
from improve_git.git.repository import NO_COMMIT, Commit, RefMoved, Repository, top_level

__all__ = [
    "ENGINE",
    "NO_COMMIT",
    "Commit",
    "GitFailed",
    "Person",
    "RefMoved",
    "Repository",
    "require_git",
    "top_level",
]
