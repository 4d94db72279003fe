from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
STEP = re.compile(
    r"Save this as `(?P<file>[^`]+)`:\n\n```\w+\n(?P<text>.*?)```"
    r"|```console\n\$ pytest (?P<args>[^\n]+)\n(?P<printed>.*?)```",
    re.DOTALL,
)


def test_the_steps_of_the_tutorial_do_what_it_says(pytester: pytest.Pytester) -> None:
    steps = list(STEP.finditer(TUTORIAL.read_text()))
    for step in steps:
        if step["file"]:
            path = pytester.path / step["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(step["text"])
        else:
            # A process of its own, as at the reader's desk.
            result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *step["args"].split())
            result.stdout.fnmatch_lines([_pattern(line) for line in step["printed"].splitlines()])
    assert [bool(step["file"]) for step in steps] == [True, True, True, False, False, True, True, False]


def _pattern(line: str) -> str:
    return line.replace("[", "[[]").replace("...", "*")
