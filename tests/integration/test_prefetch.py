"""Recorded traces that have to be fetched: a conftest's source stands for a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import CASH_SWEEP
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

# Nothing is answered before so many have been asked for: one after the other they would never be.
SOURCE = """
import os
import threading
from pathlib import Path

from pytest_refinery import wiring
from pytest_refinery.settings import Settings
from pytest_refinery.errors import TraceError

AT_ONCE, FETCHED = {at_once}, Path(__file__).with_name("fetched.txt")
asked = []
enough, lock = threading.Event(), threading.Lock()


class Service:
    def load(self, reference, *, base, project=None):
        with lock, FETCHED.open("a") as log:
            log.write(f"{{threading.current_thread().name}} {{reference}}\\n")
            asked.append(reference)
            if len(asked) == AT_ONCE:
                enough.set()
        assert enough.wait(20)
        if "gone" in reference:
            raise TraceError(f"{{reference}}: there is no such trace.")
        return wiring.build(Settings()).source.load("sweep.json", base=Path(__file__).parent)


def pytest_refinery_trace_source(reference):
    return Service() if reference.startswith("service:") else None
"""
ITEM = """\
  - id: {name}
    expect: The agent speaks of the sweep.
    trace: {trace}
    checks: [{{output: {{contains: {words}}}}}]
"""
GOOD, BAD = "cash sweep", "no such words"


@pytest.fixture
def write(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write a suite: a service that answers so many requests at once, and items as (trace, words) pairs."""

    def write(*items: tuple[str, str], at_once: int = 1) -> None:
        pytester.makeconftest(SOURCE.format(at_once=at_once))
        (pytester.path / "sweep.json").write_text(json.dumps(CASH_SWEEP), encoding="utf-8")
        listed = "".join(
            ITEM.format(name=f"item-{number:02}", trace=trace, words=words)
            for number, (trace, words) in enumerate(items)
        )
        (pytester.path / "many.refinery.yaml").write_text(f"expectations:\n{listed}", encoding="utf-8")

    return write


def fetched(pytester: pytest.Pytester) -> list[str]:
    """Return the thread and reference of each fetch."""
    return (pytester.path / "fetched.txt").read_text("utf-8").splitlines()


def test_the_traces_of_the_next_items_are_fetched_at_once(
    pytester: pytest.Pytester, write: Callable[..., None], run: Callable[..., pytest.RunResult]
) -> None:
    write(*((f"service:{number}", GOOD) for number in range(8)), at_once=2)
    run("-v").assert_outcomes(passed=8)
    assert len(fetched(pytester)) == 8


@WITH_WORKERS
def test_reports_are_the_same_as_one_after_the_other(
    pytester: pytest.Pytester, write: Callable[..., None], run: Callable[..., pytest.RunResult]
) -> None:
    write(*((f"service:{name}", words) for name in ("a", "gone", "b") for words in (GOOD, BAD)))
    run("--refinery-report", "ahead", "-p", "no:cacheprovider").assert_outcomes(passed=2, failed=2, errors=2)
    pytester.runpytest("--refinery", "--refinery-report", "in-turn", "-p", "no:cacheprovider", "--maxfail=100")
    ahead, in_turn = (json.loads((pytester.path / name / "report.json").read_text()) for name in ("ahead", "in-turn"))
    for report in (ahead, in_turn):
        for item in report["expectations"]:
            for stage in (item["diagnosis"] or {}).get("stages", []):
                stage["seconds"] = 0
    assert ahead["expectations"] == in_turn["expectations"]
    assert "there is no such trace" in ahead["expectations"][2]["error"]


def test_items_about_one_trace_share_its_fetch(pytester: pytest.Pytester, write: Callable[..., None]) -> None:
    write(*(("service:one", GOOD) for _ in range(5)))
    pytester.runpytest("--refinery").assert_outcomes(passed=5)
    assert fetched(pytester) == ["refinery-prefetch service:one"]


def test_no_more_than_a_few_are_fetched_ahead(pytester: pytest.Pytester, write: Callable[..., None]) -> None:
    write(*((f"service:{number}", GOOD) for number in range(34)), at_once=17)
    conftest = pytester.path / "conftest.py"
    counting = "len([each for each in threading.enumerate() if each.name == threading.current_thread().name])"
    conftest.write_text(conftest.read_text("utf-8").replace("{threading.current_thread().name}", f"{{{counting}}}"))
    pytester.runpytest("--refinery").assert_outcomes(passed=34)
    assert max(int(line.partition(" ")[0]) for line in fetched(pytester)) <= 17


def test_with_x_what_comes_after_the_failure_is_not_fetched(
    pytester: pytest.Pytester, write: Callable[..., None]
) -> None:
    write(("service:a", BAD), ("service:b", GOOD))
    pytester.runpytest("--refinery", "-x").assert_outcomes(failed=1)
    assert fetched(pytester) == ["MainThread service:a"]


def test_local_files_skipped_items_and_what_a_test_stands_before_are_not_fetched_ahead(
    pytester: pytest.Pytester, write: Callable[..., None]
) -> None:
    write(("sweep.json", GOOD), ("service:skipped", GOOD), ("service:a", GOOD))
    file = pytester.path / "many.refinery.yaml"
    file.write_text(
        file.read_text("utf-8").replace("    trace: service:skipped", "    tags: skip\n    trace: service:s")
    )
    pytester.makepyfile(
        test_python="from pathlib import Path\n\n\n"
        "def test_nobody_fetches_meanwhile():\n    assert 'service:behind' not in Path('fetched.txt').read_text()\n"
    )
    (pytester.path / "zz.refinery.yaml").write_text(
        "expectations:\n" + ITEM.format(name="behind", trace="service:behind", words=GOOD), encoding="utf-8"
    )
    names = ("many.refinery.yaml", "test_python.py", "zz.refinery.yaml")
    pytester.runpytest("--refinery", *names).assert_outcomes(passed=4, skipped=1)
    assert fetched(pytester) == ["refinery-prefetch service:a", "refinery-prefetch service:behind"]


def test_nothing_is_fetched_while_a_cassette_is_open_or_an_agent_runs(
    pytester: pytest.Pytester, write: Callable[..., None]
) -> None:
    write(*((f"service:{name}", GOOD) for name in "abcd"))
    file = pytester.path / "many.refinery.yaml"
    file.write_text(
        file.read_text("utf-8").replace("    trace: service:c\n", "    trace: service:c\n    agent: mine:run\n")
    )
    (pytester.path / "mine.py").write_text(
        "from pathlib import Path\n\n\ndef run(inputs):\n"
        "    assert 'service:d' not in Path('fetched.txt').read_text()\n    return {'output': 'cash sweep'}\n"
    )
    pytester.runpytest("--refinery").assert_outcomes(passed=4)
    assert "refinery-prefetch service:b" in fetched(pytester)
    (pytester.path / "fetched.txt").unlink()
    pytester.runpytest("--refinery", "--refinery-record", "all")
    assert {line.partition(" ")[0] for line in fetched(pytester)} == {"MainThread"}


def test_a_rerun_fetches_again(pytester: pytest.Pytester, write: Callable[..., None]) -> None:
    write(("service:gone", GOOD))
    pytester.runpytest("--refinery", "--reruns", "1").assert_outcomes(errors=1)
    assert fetched(pytester) == ["refinery-prefetch service:gone", "MainThread service:gone"]


def test_a_fetch_that_hangs_does_not_keep_the_run_alive(pytester: pytest.Pytester, write: Callable[..., None]) -> None:
    write(("service:a", GOOD), ("service:hangs", GOOD))
    pytester.makeconftest(
        (pytester.path / "conftest.py").read_text().replace('"gone" in reference', '"hangs" in reference')
        + "\n\ndef pytest_runtest_teardown(item):\n    import pytest\n    pytest.exit('enough', returncode=0)\n"
    )
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text().replace("raise TraceError", "threading.Event().wait()\n            raise TraceError")
    )
    result = pytester.runpytest_subprocess("--refinery", timeout=60)
    result.stdout.fnmatch_lines(["*enough*"])
