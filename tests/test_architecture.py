from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pytest_refinery"
KNOWS_PYTEST = {"__init__", "cli", "hookspecs", "integration", "options", "plugin"}


@pytest.mark.parametrize("config", ["pyproject.toml", "importlinter-types.toml"])
def test_no_room_imports_what_it_must_not(config: str) -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache", config], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_below_the_pytest_layer_is_kept_free_of_pytest() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    guarded = next(rule for rule in contracts if rule["name"] == "Only the pytest layer knows pytest")["source_modules"]
    below = {f"pytest_refinery.{room}" for room in _rooms() - KNOWS_PYTEST}
    assert set(guarded) == below, "list the room in that contract of pyproject.toml"


def test_no_module_is_named_after_nothing() -> None:
    nothing = {"utils", "common", "misc", "helpers", "base"}
    assert [path for path in PACKAGE.rglob("*.py") if path.stem in nothing] == []


def _rooms() -> set[str]:
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    return modules | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
