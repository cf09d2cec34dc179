"""A real browser, without a screen; where there is none, the test skips with the reason."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str:
    """Return the browser's path; in CI, where no test may skip unnoticed, fail without one."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("there is no Chromium; in CI the page must be opened", pytrace=False)
    if found is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    return found


def browse(page: Path, *options: str) -> str:
    """Open a page for two seconds of its own time and return what the browser prints."""
    profile = page.with_suffix(".profile")
    command = [
        find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
        "--allow-file-access-from-files", "--virtual-time-budget=2000",
        f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout
