"""The page, step by step: failure, fix, verified, accepted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_refinery import cli
from tests.docs.test_how_to_pages import blocks

if TYPE_CHECKING:
    import pytest

PAGE = "how-to/verify-a-fix.md"


def test_the_page_does_what_it_says(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pytester.mkdir("project")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    files = {
        "desk/agent.py": blocks(PAGE, "python")[0],
        "prompts/system.md": blocks(PAGE, "text")[0],
        "memory.refinery.yaml": blocks(PAGE, "yaml")[0],
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    run, verify, accept, again = (block.removeprefix("$ ").partition("\n") for block in blocks(PAGE, "console"))

    _runs_as_shown(pytester, run)
    capsys.readouterr()
    for command, _, shown in (verify, accept):
        assert cli.main(shlex.split(command)[1:]) == 0
        assert capsys.readouterr().out == shown
        page = (folder / "out" / "index.html").read_text(encoding="utf-8")
        assert "verified: 0 of 5 -&gt; 5 of 5" in page
        assert 'id="picture-1"' in page
    _runs_as_shown(pytester, again)


def _runs_as_shown(pytester: pytest.Pytester, block: tuple[str, str, str]) -> None:
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *shlex.split(block[0])[1:])
    result.stdout.fnmatch_lines([line.replace("...", "*") for line in block[2].splitlines()])
