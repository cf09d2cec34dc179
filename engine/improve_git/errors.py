"""Every expected error, one tree. Anything else that is raised is a bug.

ImproveError               expected: one line for the user plus the fix; exit code 1
├── DataError              the images, the manifest, the split
├── SettingsError          improve.yaml or a key=value word
├── PipelineError          the pipeline's repository: missing, foreign, busy, damaged
├── GitError               Git itself: missing, too old, a command that failed
├── TeamError              the team cannot propose or write this; the iteration fails, not the run
├── LlmError               the LLM cannot be used: key, model, address; the run stops
├── RunPaused              too many iterations failed in a row
├── BudgetSpent            a cap would be broken; the run ends
└── SandboxError           the sandbox or its engine failed; never counted against a candidate
"""


class ImproveError(Exception):
    """An expected error: ``message`` says in one line what is wrong, ``fix`` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class DataError(ImproveError):
    """The images, the manifest or the split cannot be used."""


class SettingsError(ImproveError):
    """A setting is misspelt, has the wrong type or an impossible value."""


class PipelineError(ImproveError):
    """The pipeline's repository is missing, foreign, busy or damaged."""


class GitError(ImproveError):
    """Git is missing, too old, or a Git command failed."""


class TeamError(ImproveError):
    """The team cannot propose or write anything more."""


class LlmError(ImproveError):
    """The LLM cannot be used: a wrong key, an unknown model, no answer. The run stops."""


class RunPaused(ImproveError):
    """So many iterations failed in a row that someone should look."""


class BudgetSpent(ImproveError):
    """What comes next could break a cap, so it is not begun."""


class SandboxError(ImproveError):
    """The sandbox or its engine failed. The candidate is not to blame."""
