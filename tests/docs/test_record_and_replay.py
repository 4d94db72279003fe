"""The page on cassettes does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest  # noqa: TC002  (for fixtures)

from pytest_refinery.options import OPTIONS
from tests.integration.cassettes.conftest import cassettes_in, record, replay, server, suite  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.openai_server import OpenAIServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "record-and-replay.md").read_text(encoding="utf-8")
JUDGED = "memory.refinery.yaml::judged"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_flag_and_key_exists() -> None:
    flags = {option.flag for option in OPTIONS if option.flag}
    assert set(re.findall(r"--refinery[a-z-]*", PAGE)) <= flags
    keys = {option.ini for option in OPTIONS}
    assert set(re.findall(r"^refinery_\w+", "\n".join(blocks("ini")), re.MULTILINE)) <= keys


def test_the_settings_and_hooks_of_the_page_work_together(
    pytester: pytest.Pytester,
    suite: Path,  # noqa: F811
    record: Callable[..., pytest.RunResult],  # noqa: F811
) -> None:
    replaying, scrubbing = blocks("ini")
    pytester.makeconftest("\n\n".join(blocks("python")))
    pytester.makeini(replaying + scrubbing.removeprefix("[pytest]\n"))
    record()
    assert set(cassettes_in(suite)) == {"memory.refinery.yaml/checked.yaml", "memory.refinery.yaml/verdict.yaml"}
    # The mode of the ini file is none.
    pytester.runpytest("--refinery", "-p", "no:cacheprovider").assert_outcomes(failed=2)


def test_a_request_that_is_not_there_is_told_as_the_page_shows(
    suite: Path,  # noqa: F811
    record: Callable[..., pytest.RunResult],  # noqa: F811
    replay: Callable[..., pytest.RunResult],  # noqa: F811
    server: OpenAIServer,  # noqa: F811
) -> None:
    record(JUDGED)
    file = suite / "memory.refinery.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("promises nothing", "promises little"), encoding="utf-8")
    printed = _folded(replay(JUDGED).stdout.str())
    assert _folded(blocks("console")[0]) in printed.replace(f"http://127.0.0.1:{server.port}", "https://api.openai.com")


def _folded(text: str) -> str:
    return " ".join(text.split())
