from types import SimpleNamespace
from typing import Any

import pytest

from improve_git.domain import COMPONENTS, FILES
from improve_git.errors import SandboxError
from improve_git.iteration.trust import check_trust
from improve_git.teams.rendering import write

OWN = {FILES[part]: write(part, {}) for part in COMPONENTS}
OTHERS = OWN | {"model.py": OWN["model.py"] + "\nimport os\n", "train.py": "def train(): ...\n"}
OPEN: Any = SimpleNamespace(name="process-unisolated")
CLOSED: Any = SimpleNamespace(name="process")


def test_unisolated_only_the_playbooks_own_files_run() -> None:
    check_trust(OWN, OPEN, allow_unisolated=False)
    with pytest.raises(SandboxError, match=r"not the playbook's own: model\.py, train\.py") as told:
        check_trust(OTHERS, OPEN, allow_unisolated=False)
    assert "sandbox.allow_unisolated=true" in told.value.fix


def test_others_run_where_the_user_says_so_or_something_isolates() -> None:
    check_trust(OTHERS, OPEN, allow_unisolated=True)
    check_trust(OTHERS, CLOSED, allow_unisolated=False)
