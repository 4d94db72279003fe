"""Tags of expectation files select; they do not act as the marks of pytest or of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tag(suite: Path, tags: str) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("tags: [memory]", f"tags: [{tags}]"))


@pytest.mark.parametrize("name", ["timeout", "flaky", "skipif", "usefixtures", "parametrize", "refinery", "tryfirst"])
def test_a_mark_that_somebody_acts_on_is_refused_with_its_place(
    run: Callable[..., pytest.RunResult], suite: Path, name: str
) -> None:
    tag(suite, f"memory, {name}")
    result = run("-p", "timeout", "-p", "rerunfailures")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"*memory.refinery.yaml:3:16: The tag '{name}' is the mark {name}*, which acts on it.*"]
    )
    result.stdout.fnmatch_lines([f"*take another word, such as {name}-case*"])


def test_the_tag_of_one_expectation_is_found_too(pytester: pytest.Pytester, suite: Path) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("tags: [wording]", "tags: skipif"))
    result = pytester.runpytest("--refinery")
    result.stdout.fnmatch_lines(["*memory.refinery.yaml:12:11: The tag 'skipif'*"])


def test_a_mark_with_arguments_of_the_suite_itself_is_refused(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    level(number): how deep\n    slow: takes a while\n")
    tag(suite, "level")
    result = pytester.runpytest("--refinery")
    result.stdout.fnmatch_lines(["*The tag 'level' is the mark level(number) of*"])


def test_a_mark_without_arguments_that_a_plugin_acts_on_is_refused(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(
        "def pytest_configure(config):\n    config.addinivalue_line('markers', 'forked: always fork for this test.')\n"
    )
    tag(suite, "forked")
    pytester.runpytest("--refinery").stdout.fnmatch_lines(["*The tag 'forked' is the mark forked of*"])


@pytest.mark.parametrize("name", ["slow", "memory", "nightly", "timeouts", "forked"])
def test_plain_words_are_marks(pytester: pytest.Pytester, suite: Path, name: str) -> None:
    pytester.makeini("[pytest]\naddopts = --strict-markers\nmarkers =\n    slow: takes a while\n")
    tag(suite, name)
    result = pytester.runpytest("--refinery", "-m", name, "-p", "no:forked")
    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_skip_skips(pytester: pytest.Pytester, suite: Path) -> None:
    tag(suite, "skip")
    pytester.runpytest("--refinery").assert_outcomes(skipped=3)
