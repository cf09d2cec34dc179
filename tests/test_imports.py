"""Light at start, and what keeps the house's parts apart."""

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import improve_git

ROOT = Path(__file__).parent.parent
# Each takes a noticeable part of a second to load; torch and litellm take several.
HEAVY = {
    "PIL",
    "docker",
    "hydra",
    "litellm",
    "matplotlib",
    "numpy",
    "omegaconf",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(improve_git.__path__, "improve_git.")
    if not module.name.endswith(".__main__")
)


def loaded_by(code: str, *argv: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after ``code``."""
    report = "\nimport sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *argv], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_does_nothing() -> None:
    new = loaded_by("import improve_git") - loaded_by("")
    assert new == {"improve_git"}


def test_every_module_can_be_imported() -> None:
    loaded = loaded_by("\n".join(f"import {module}" for module in MODULES))
    assert set(MODULES) <= loaded
    assert not loaded & {"torch", "timm", "litellm"}


def test_the_command_line_starts_light() -> None:
    loaded = loaded_by("from improve_git.cli.main import main")
    assert "improve_git.cli.main" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["log", "--help"], ["init", "--help"]]
)
def test_help_is_light(words: list[str]) -> None:
    code = """
import sys
from improve_git.cli.main import main
try:
    sys.exit(main())
except SystemExit as end:
    assert not end.code, end.code
"""
    assert not loaded_by(code, *words) & HEAVY


def imported_names(source: Path) -> set[str]:
    tree = ast.parse(source.read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    froms = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    return {name.split(".")[0] for name in names | froms}


def test_the_harness_knows_nothing_of_the_host_side() -> None:
    """The other direction, and the ladder within the host side, are import-linter's."""
    sources = list((ROOT / "sandbox").rglob("*.py"))
    assert sources
    for source in sources:
        assert "improve_git" not in imported_names(source), source


def test_pipelines_import_nothing_of_the_project() -> None:
    templates = list((ROOT / "component_templates").glob("*.py.j2"))
    assert templates
    for template in templates:
        text = template.read_text()
        assert "import improve_git" not in text, template
        assert "from improve_git" not in text, template
