import re
import subprocess
import sys

from situations import LITE, RESNET, first_files, profile_of, walk

from improve_git.teams.rendering import write

SMALL = profile_of(8, 8)
LARGE = profile_of(300, 200)


def test_what_is_rendered_is_as_ruff_would_write_it(tmp_path):
    for number in range(6):
        weights = (LITE, RESNET) if number % 2 else ()
        profile = (SMALL, LARGE, profile_of(32, 32))[number % 3]
        first = first_files(profile, weights=weights)
        for step, files in enumerate(walk(first, profile, 25, number, weights=weights)):
            folder = tmp_path / f"{number}-{step}"
            folder.mkdir()
            for name, source in files.items():
                (folder / name).write_text(source)
    ruff = [sys.executable, "-m", "ruff"]
    lint = [*ruff, "check", "--isolated", "--line-length=100", "--select=E,F,W,B,UP,I", "-q"]
    form = [*ruff, "format", "--isolated", "--line-length=100", "--check", "-q"]
    for command in (lint, form):
        done = subprocess.run([*command, tmp_path], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:]


def test_no_operation_of_the_distortions_mirrors_or_turns():
    source = write("data", {"AUGMENT_OPS": 2})
    assert not re.search(r"rotat|flip", source)
