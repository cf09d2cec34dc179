"""What the Docker sandbox does by itself; trials in it are in test_trials.py."""

import pytest

from improve_git.errors import SandboxError
from improve_git.sandboxes.docker import DockerSandbox
from improve_git.sandboxes.docker.container import demultiplex


def test_the_engine_s_stream_is_split_however_it_is_cut() -> None:
    data = b"\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\5error\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1!"
    for size in range(1, len(data)):
        rest, received = b"", []
        for start in range(0, len(data), size):
            chunks, rest = demultiplex(rest + data[start : start + size])
            received += chunks
        assert received == [("out", b"out"), ("err", b"error"), ("out", b""), ("out", b"!")]
        assert rest == b""


@pytest.mark.docker
def test_a_runtime_that_the_engine_lacks_is_an_error_with_its_fix() -> None:
    with pytest.raises(SandboxError, match="this Docker engine has no runtime 'no-such'") as told:
        DockerSandbox(None, "none", print, runtime="no-such")
    assert "sandbox.runtime=" in told.value.fix
