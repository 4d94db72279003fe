"""README shows what a run prints, and names files and commands that are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_expectation_on_top_is_the_one_of_the_example() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = ROOT / "examples" / "support_agent" / "expectations" / "memory.refinery.yaml"
    assert shown in file.read_text(encoding="utf-8")


def test_its_diagnosis_is_shown_as_printed() -> None:
    (args, shown) = re.findall(r"```console\n\$ pytest ([^\n]+)\n(.*?)```", README, re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *args.split(), "-p", "no:cacheprovider", "-o", "addopts="],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    matcher = pytest.LineMatcher(done.stdout.splitlines())
    without_times = re.sub(r"tokens, [\d.]+ s$", "tokens, * s", shown.replace("[", "[[]"), flags=re.MULTILINE)
    matcher.fnmatch_lines([line for line in without_times.splitlines() if line != "..."], consecutive=False)


def test_the_two_commands_are_targets() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = re.findall(r"^\$ make (\w+)$", README, re.MULTILINE)
    assert commands == ["demo", "test"]
    assert set(commands) <= set(targets)
