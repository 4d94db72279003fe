"""Expectations about traces that are in LangSmith, as whole runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.langsmith_server import KEY, faults, traces
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.langsmith_server import LangSmithServer

    Expect = Callable[..., Path]
    Run = Callable[..., pytest.RunResult]

NO_SUCH_RUN = "00000000-0000-0000-0000-00000000dead"


def words(result: pytest.RunResult) -> str:
    """Return what a run printed, without the ends of its lines."""
    return " ".join(result.stdout.str().split())


def fetched(server: LangSmithServer) -> int:
    return sum("/runs" in asked for asked in server.asked)


def test_expectations_are_checked_and_diagnosed(server: LangSmithServer, expect: Expect, run: Run) -> None:
    good = server.store.add(traces.made(5))
    bad = server.store.add(traces.made(6, said="I do not know."))
    expect(good=good, by_address=server.page_of(good), bad=bad)
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*I do not know.*"])


def test_a_shared_trace_needs_no_key(
    server: LangSmithServer, expect: Expect, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY")
    token = server.store.share(server.store.add(traces.made(5)))
    expect(shared=f"{server.endpoint}/public/{token}/r")
    run().assert_outcomes(passed=1)


@WITH_WORKERS
def test_workers_and_later_runs_fetch_a_trace_once(server: LangSmithServer, expect: Expect, run: Run) -> None:
    kept = server.store.add(traces.made(5))
    expect(**{f"number_{number}": kept for number in range(8)})
    run().assert_outcomes(passed=8)
    run().assert_outcomes(passed=8)
    assert fetched(server) == 1


def test_clearing_the_cache_fetches_again(server: LangSmithServer, expect: Expect, pytester: pytest.Pytester) -> None:
    expect(good=server.store.add(traces.made(5)))
    for arguments in ((), ("--cache-clear",)):
        pytester.runpytest("--refinery", *arguments).assert_outcomes(passed=1)
    assert fetched(server) == 2


def test_without_the_cache_plugin_everything_is_fetched(
    server: LangSmithServer, expect: Expect, pytester: pytest.Pytester
) -> None:
    expect(good=server.store.add(traces.made(5)))
    for _ in range(2):
        pytester.runpytest("--refinery", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert fetched(server) == 2


def test_collecting_asks_nobody(server: LangSmithServer, expect: Expect, pytester: pytest.Pytester) -> None:
    expect(good=server.store.add(traces.made(5)))
    pytester.runpytest("--refinery", "--collect-only")
    assert server.log == []


def test_a_python_test_may_name_a_trace(
    server: LangSmithServer, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = server.store.add(traces.made(5))
    pytester.makepyfile(
        f"def test_counts(refinery_trace):\n    assert len(refinery_trace.load({server.page_of(kept)!r}).runs) == 5\n"
        f"def test_name(refinery_trace):\n    refinery_trace.load({kept.id!r}, project='default')"
    )
    pytester.runpytest("--refinery").assert_outcomes(passed=2)


def test_each_thing_that_can_go_wrong_is_an_error_with_a_sentence(
    server: LangSmithServer, expect: Expect, run: Run, pytester: pytest.Pytester
) -> None:
    added = {name: server.store.add(traces.made(3, name=name)) for name in ("kept", "key", "access", "empty", "page")}
    elsewhere = server.store.add(traces.made(3, name="elsewhere"), project="sales")
    running = server.store.add(traces.with_change(traces.made(3, name="running"), 2, status="pending", end_time=None))
    often = server.store.add(traces.made(3, name="often"))
    expect(good=added["kept"])
    pytester.runpytest("--refinery").assert_outcomes(passed=1)

    def at(name: str) -> str:
        return f"/api/v2/traces/{added[name].id}/runs"

    server.faults.add(faults.unauthorised(), path=at("key"))
    server.faults.add(faults.forbidden(), path=at("access"))
    server.faults.add(faults.empty(), path=at("empty"))
    server.faults.add(faults.page(), path=at("page"))
    server.faults.add(faults.rate_limited("600"), path=f"/api/v2/traces/{often.id}/runs")
    expect(
        kept=added["kept"],
        unknown=NO_SUCH_RUN,
        key=added["key"],
        access=added["access"],
        elsewhere=elsewhere,
        empty=added["empty"],
        running=running,
        often=often,
        path=f"traces/{NO_SUCH_RUN}",
        address="https://smith.langchain.com/o/0/datasets",
        cloud=f"https://smith.langchain.com/o/0/projects/p/{NO_SUCH_RUN}/r/{NO_SUCH_RUN}",
    )
    result = run()
    result.assert_outcomes(passed=1, errors=10)
    printed = words(result)
    for sentence in (
        f"There is no run {NO_SUCH_RUN} in project 'default'",
        "does not accept the key in LANGSMITH_API_KEY (401: Invalid token)",
        "gives this key no access (403: Forbidden)",
        f"There is no run {elsewhere.id} in project 'default'",
        f"There is no run {added['empty'].id} in project 'default'",
        "It is still running: 1 of its 3 runs have not ended (ChatModel)",
        "asks too often (429), and to wait 600 s more",
        "no such trace file",
        f"If you mean the trace in LangSmith, write its id alone: {NO_SUCH_RUN}",
        "not the address of a run in LangSmith",
        "The address is of smith.langchain.com, but LANGSMITH_ENDPOINT names 127.0.0.1",
    ):
        assert sentence in printed
    assert KEY not in printed


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (faults.down(), "could not be asked for 0.2 s (it answers 503)"),
        (faults.cut(), "could not be asked for 0.2 s ("),
    ],
    ids=["503", "cut"],
)
def test_a_langsmith_that_is_down_decides_nothing_and_takes_nothing_away(
    server: LangSmithServer,
    expect: Expect,
    run: Run,
    pytester: pytest.Pytester,
    fault: faults.Fault,
    sentence: str,
) -> None:
    kept, other = server.store.add(traces.made(5)), server.store.add(traces.made(6))
    expect(kept=kept)
    pytester.runpytest("--refinery").assert_outcomes(passed=1)
    server.faults.add(fault)
    expect(kept=kept, other=other, another=NO_SUCH_RUN)
    result = run()
    result.assert_outcomes(passed=1, errors=2)
    assert sentence in words(result)
    assert "traces that were fetched before are still there." in words(result)


def test_an_older_backend_with_parts_that_have_expired(server: LangSmithServer, expect: Expect, run: Run) -> None:
    server.has_v2 = False
    server.faults.add(faults.expired())
    expect(good=server.store.add(traces.made(5)), apart=server.store.add(traces.made(6), stored_apart=True))
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    assert "are stored apart from it, on 127.0.0.1, which refuses them (403)" in words(result)


def test_no_key_is_an_error_that_says_where_to_get_one(
    server: LangSmithServer, expect: Expect, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY")
    expect(good=server.store.add(traces.made(5)))
    result = run()
    result.assert_outcomes(errors=1)
    assert "LANGSMITH_API_KEY is not set. Set it to a key of the workspace" in words(result)


def test_an_undecided_expectation_is_one_in_the_report(
    server: LangSmithServer, expect: Expect, pytester: pytest.Pytester
) -> None:
    server.faults.add(faults.unauthorised())
    expect(good=server.store.add(traces.made(5)))
    pytester.runpytest("--refinery", "--refinery-report", "out").assert_outcomes(errors=1)
    (item,) = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))["expectations"]
    assert item["outcome"] == "undecided"
    assert "does not accept the key" in item["error"]
    assert KEY not in json.dumps(item)
