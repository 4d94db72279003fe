"""The page, step by step, with the trace and the prompt of the tutorial."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery import cli
from tests.docs.test_tutorial import STEP as TUTORIAL_STEP
from tests.docs.test_tutorial import TUTORIAL

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "from-a-bad-trace.md").read_text("utf-8")
FILE = "expectations/admits-it-cannot-remember.refinery.yaml"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_does_what_it_says(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    for step in list(TUTORIAL_STEP.finditer(TUTORIAL.read_text("utf-8")))[:2]:
        path = pytester.path / step["file"]
        path.parent.mkdir()
        path.write_text(step["text"], encoding="utf-8")
    new, run, changed = (block.removeprefix("$ ").partition("\n") for block in blocks("console"))
    written, chosen = blocks("yaml")

    assert cli.main(shlex.split(new[0])[1:]) == 0
    assert capsys.readouterr().out == new[2]
    file = pytester.path / FILE
    assert file.read_text("utf-8") == written

    file.write_text(chosen, encoding="utf-8")
    _runs_as_shown(pytester, *run[::2])

    added, more, *_ = shlex.split(changed[0])[1:]
    assert more == ">>"
    with (pytester.path / "prompts" / "assistant.md").open("a", encoding="utf-8") as prompt:
        prompt.write(f"{added}\n")
    again, _, shown = changed[2].removeprefix("$ ").partition("\n")
    _runs_as_shown(pytester, again, shown)


def _runs_as_shown(pytester: pytest.Pytester, command: str, shown: str) -> None:
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *shlex.split(command)[1:])
    result.stdout.fnmatch_lines([line.replace("...", "*") for line in shown.splitlines()])
