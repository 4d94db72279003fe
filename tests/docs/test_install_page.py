"""The table says what each extra is for, and leaves none out."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")


def test_each_extra_has_its_row() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| .+ \| `pip install 'pytest-refinery\[(\w+)\]'` \|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(extras)


def test_the_plugins_to_leave_out_are_called_so() -> None:
    installed = {entry.name for entry in metadata.entry_points(group="pytest11")}
    assert set(re.findall(r'"no:(\w+)"', PAGE)) <= installed
