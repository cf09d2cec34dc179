"""What the harness's tests share: a pipeline's files are imported by names that others use too."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_pipeline_is_imported() -> Iterator[None]:
    """Forget another test's pipeline, and this one's afterwards."""
    names = ("data", "model", "train", "harness.export")
    for name in names:
        sys.modules.pop(name, None)
    yield
    for name in names:
        sys.modules.pop(name, None)
