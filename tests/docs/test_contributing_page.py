"""What CONTRIBUTING.md and ARCHITECTURE.md name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = [line for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines() if line.startswith("| a")]
NAMED = sorted({name for line in TABLE for name in re.findall(r"`([\w/]+(?:/|\.\w+)(?:::\w+)?)`", line)})
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
DOTTED = sorted(set(re.findall(r"`((?:session|running|reporting|wiring|plugin|analysis)(?:\.\w+)+)", ARCHITECTURE)))


def _defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    targets = [getattr(node, "targets", [getattr(node, "target", None)]) for node in tree.body]
    return found | {target.id for group in targets for target in group if isinstance(target, ast.Name)}


def test_the_table_says_where_the_usual_things_go() -> None:
    assert {line.split("|")[1].strip() for line in TABLE} >= {
        "a trace format",
        "a check",
        "a rule",
        "a ledger",
        "a report",
    }
    assert len(NAMED) > len(TABLE)


@pytest.mark.parametrize("name", NAMED)
def test_a_place_in_the_table_exists(name: str) -> None:
    path, _, word = name.partition("::")
    assert (ROOT / path).exists()
    assert not word or word in _defined(ROOT / path)


@pytest.mark.parametrize("name", DOTTED)
def test_a_module_on_the_way_of_a_failure_exists(name: str) -> None:
    room, module, *_ = name.split(".")
    package = ROOT / "pytest_refinery"
    homes = [
        package / f"{room}.py",
        package / room,
        package / "integration" / f"{room}.py",
        package / "integration" / room,
    ]
    home = next(path for path in homes if path.exists())
    assert (home / f"{module}.py").exists() if home.is_dir() else module in _defined(home)


def test_the_glossary_is_short() -> None:
    words = [line.split("|")[1] for line in ARCHITECTURE.partition("## Words")[2].splitlines() if line.startswith("| ")]
    assert sum(len(each.split(",")) for each in words[1:]) <= 25
