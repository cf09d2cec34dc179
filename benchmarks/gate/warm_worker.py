"""The warm worker: imports torch and the harness once, and forks for each job it is sent.

    python -P -s -B warm_worker.py SANDBOX_FOLDER DESCRIPTOR

Started by warm.py with the environment of the process sandbox. A job comes as one message on the
descriptor, a socket: JSON, and the three standard streams of the child. Answered are the child's
number and, when it has ended, its exit code. The worker ends with the socket.
"""

import gc
import importlib
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

MOST = 1 << 16  # bytes of a message
# What a job imports sooner or later, some of it hidden in torch: the optimizers load _dynamo.
MODULES = (
    "PIL.ImageOps",
    "safetensors.torch",
    "torch._dynamo",
    "torch.nn.functional",
    "torch.optim.swa_utils",
    "torch.utils.data",
    "harness.predict",
    "harness.train",
)


def main() -> None:
    sys.path.append(sys.argv[1])
    for module in MODULES:
        importlib.import_module(module)
    rehearse()
    gc.collect()
    gc.freeze()  # or each child would copy the pages of all that is there
    with socket.socket(fileno=int(sys.argv[2])) as engine:
        engine.send(b"ready")
        while True:
            message, streams, _, _ = socket.recv_fds(engine, MOST, 3)
            if not message:
                os._exit(0)  # at once: some libraries complain of what is left at an orderly end
            child = os.fork()
            if child == 0:
                engine.close()
                run(json.loads(message), streams)
            for stream in streams:
                os.close(stream)
            engine.send(str(child).encode())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            engine.send(str(code if code >= 0 else 128 - code).encode())


def rehearse() -> None:
    """Train and predict a little, since much in torch is loaded at its first use.

    On a CPU backward starts no threads, which a fork would lose. Nothing of it lasts: the harness
    seeds before all it calls.
    """
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    model = nn.Sequential(*layers, nn.Linear(512, 10)).to(memory_format=torch.channels_last)
    images = torch.rand(32, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(32, dtype=torch.int64)
    for name in ("AdamW", "SGD"):
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _step: 1.0)
        for _ in range(2):
            torch.autograd.backward(nn.functional.cross_entropy(model(images), targets))
            optimizer.step()
            scheduler.step()
    with torch.inference_mode():
        model.eval()(images)


def run(job: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be what `python harness PHASE FOLDER` is, in the given environment; never returns."""
    from harness.supervisor import supervise
    from harness.work import work

    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(job["variables"])
    os.chdir(job["scratch"])
    tempfile.tempdir = None
    supervise(lambda out: work(job["phase"], Path(job["folder"]), out))


if __name__ == "__main__":
    main()
