"""What can go wrong gets a sentence that says what, where and what to do."""

from __future__ import annotations

import email.utils
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from tests.langsmith_server import KEY, faults, traces
from tests.langsmith_server.faults import Fault
from tests.langsmith_server.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith.source import LangSmith
    from tests.langsmith_server import LangSmithServer
    from tests.openai_server.clock import SetClock

    Connect = Callable[..., LangSmith]

HERE = Path()
NO_SUCH_RUN = "00000000-0000-0000-0000-00000000dead"


def refusal(source: LangSmith, reference: str, **words: str) -> str:
    with pytest.raises(TraceError) as refused:
        source.load(reference, base=HERE, **words)
    said = str(refused.value)
    assert KEY not in said
    assert "X-Amz" not in said
    return said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.unauthorised(), "does not accept the key in LANGSMITH_API_KEY (401: Invalid token). Is it complete"),
        (faults.forbidden(), "gives this key no access (403: Forbidden). The key must be of the workspace"),
        (faults.refused(400, "bad filter"), "refused the request (400: bad filter)."),
        (faults.redirected("https://example.com/"), "sends requests elsewhere (307). Set LANGSMITH_ENDPOINT"),
        (faults.page(), "answered with something else than JSON. Does LANGSMITH_ENDPOINT name its API?"),
    ],
    ids=["401", "403", "400", "redirect", "a page"],
)
@pytest.mark.parametrize("has_project", [True, False])
def test_a_refusal_is_told(
    server: LangSmithServer,
    connect: Connect,
    fault: Fault,
    said: str,
    has_project: bool,  # noqa: FBT001
) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(fault)
    told = refusal(connect(), server.page_of(kept) if has_project else kept.id)
    assert told.startswith(f"LangSmith trace {kept.id}: 127.0.0.1:{server.port} {said}")
    assert len(server.log) <= 2


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
@pytest.mark.parametrize("project", [None, "default"])
def test_an_id_that_nobody_knows(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
    project: str | None,
) -> None:
    server.has_v2 = has_v2
    server.store.add(traces.made(3))
    variables = {"LANGSMITH_PROJECT": project} if project else {}
    told = refusal(connect(**variables), NO_SUCH_RUN)
    where = "project 'default'" if project else "any project of the workspace"
    assert f"There is no run {NO_SUCH_RUN} in {where} on 127.0.0.1" in told
    assert "Is the id that of a run" in told


def test_a_window_without_any_run(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.empty())
    assert "at any time" in refusal(connect(), server.page_of(kept))


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_a_project_of_another_name(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(3), project="support")
    told = refusal(connect(), kept.id, project="suport")
    assert "There is no project 'suport' in this workspace of 127.0.0.1" in told
    assert "Did you mean 'support'? Correct project: or LANGSMITH_PROJECT" in told


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_a_trace_of_another_project(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(3), project="support")
    server.store.add(traces.made(4), project="sales")
    assert f"There is no run {kept.id} in project 'sales'" in refusal(connect(), kept.id, project="sales")
    gone = f"{server.endpoint}/o/0/projects/p/{NO_SUCH_RUN}/r/{kept.id}"
    assert f"There is no run {kept.id} in project {NO_SUCH_RUN}" in refusal(connect(), gone)


def test_a_backend_without_v1_wants_to_know_the_project(server: LangSmithServer, connect: Connect) -> None:
    server.has_v1 = False
    kept = server.store.add(traces.made(3))
    told = refusal(connect(), kept.id)
    assert "wants to know the project of the trace: write project: beside trace:" in told


def test_a_backend_that_knows_neither_version(server: LangSmithServer, connect: Connect) -> None:
    server.has_v1 = server.has_v2 = False
    told = refusal(connect(LANGSMITH_PROJECT="default"), server.store.add(traces.made(3)).id)
    assert "does not know such a request (404: Not Found). Does LANGSMITH_ENDPOINT name LangSmith's API" in told


def test_no_key(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    told = refusal(connect(LANGSMITH_API_KEY=""), kept.id)
    assert told.startswith(f"LangSmith trace {kept.id}: LANGSMITH_API_KEY is not set.")
    assert server.log == []


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_a_trace_that_is_still_running(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    runs = traces.with_change(traces.made(7), 6, status="pending", end_time=None)
    kept = server.store.add(traces.with_change(runs, 0, status="pending", end_time=None))
    told = refusal(connect(), kept.id)
    assert "It is still running: 2 of its 7 runs have not ended (agent, ChatModel)." in told
    assert "pytest-refinery fetch" in told


@pytest.mark.parametrize("runs", [25_000, 25_001])
def test_a_trace_of_more_runs_than_langsmith_keeps(server: LangSmithServer, connect: Connect, runs: int) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(Fault(lambda *_: Answer({"items": [{"id": kept.id}] * runs}), "/api/v2/traces/*"))
    told = refusal(connect(), server.page_of(kept))
    assert "It has 25,000 runs or more, which is all that LangSmith keeps of one trace" in told


def test_pages_end_where_no_trace_can_go_on(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(3))
    page = {"runs": [{"id": kept.id, "trace_id": kept.id}] * 100, "cursors": {"next": "on"}}
    server.faults.add(Fault(lambda *_: Answer(page), "/api/v1/runs/query"))
    assert "It has 25,000 runs or more" in refusal(connect(), server.page_of(kept))
    assert len(server.log) == 252


@pytest.mark.parametrize("fault", [faults.down(), faults.down(502), faults.cut()], ids=["503", "502", "cut"])
@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_a_short_trouble_is_waited_for(
    server: LangSmithServer,
    connect: Connect,
    fault: Fault,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(150))
    server.faults.add(fault, after=1, times=3)
    assert len(connect().load(kept.id, base=HERE).runs) == 150


@pytest.mark.parametrize(
    ("fault", "why"),
    [(faults.down(), "it answers 503"), (faults.cut(), "peer closed connection")],
    ids=["503", "cut"],
)
def test_a_langsmith_that_is_down_for_two_minutes(
    server: LangSmithServer, connect: Connect, clock: SetClock, fault: Fault, why: str
) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(fault)
    start = clock()
    told = refusal(connect(), kept.id)
    assert f"127.0.0.1:{server.port} could not be asked for 120 s ({why}" in told
    assert 90 < clock() - start <= 120


def test_a_langsmith_that_is_not_there(connect: Connect) -> None:
    told = refusal(connect(LANGSMITH_ENDPOINT="http://127.0.0.1:9"), NO_SUCH_RUN)
    assert "127.0.0.1:9 could not be asked for 120 s" in told
    assert "refused" in told


@pytest.mark.parametrize(("fault", "more"), [(faults.down(), 1), (faults.cut(), 0)], ids=["503", "silence"])
def test_a_suite_waits_for_the_same_trouble_once(
    server: LangSmithServer, connect: Connect, clock: SetClock, fault: Fault, more: int
) -> None:
    """Where it answers at all, it is asked once more: the trouble may be with one trace alone."""
    kept = server.store.add(traces.made(3))
    server.faults.add(fault)
    source = connect()
    refusal(source, kept.id)
    after_first, asked = clock(), len(server.log)
    refusal(source, kept.id)
    assert (clock(), len(server.log)) == (after_first, asked + more)
    clock.sleep(31)
    server.faults.clear()
    assert len(source.load(kept.id, base=HERE).runs) == 3


def test_trouble_with_one_trace_is_none_with_another(server: LangSmithServer, connect: Connect) -> None:
    kept, broken = server.store.add(traces.made(3)), server.store.add(traces.made(4))
    server.faults.add(faults.down(), path=f"/api/v2/traces/{broken.id}/*")
    source = connect(LANGSMITH_PROJECT="default")
    assert "it answers 503" in refusal(source, broken.id)
    assert len(source.load(kept.id, base=HERE).runs) == 3


def test_a_429_waits_as_asked(server: LangSmithServer, connect: Connect, clock: SetClock) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.rate_limited("20"), times=2)
    start = clock()
    assert len(connect().load(kept.id, base=HERE).runs) == 3
    assert 40 <= clock() - start < 41


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 30), ("soon", 30), ("nan", 30), ("-1", 30), ("0.5", 0.5), ("Fri, 01 Jan 1999 00:00:00 GMT", 0)],
)
def test_whatever_form_the_wait_has(
    server: LangSmithServer, connect: Connect, clock: SetClock, asked: str | None, seconds: float
) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.rate_limited(asked), times=1)
    start = clock()
    connect().load(kept.id, base=HERE)
    assert clock() - start == pytest.approx(seconds, abs=0.1)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set here")
def test_a_date_without_a_zone_is_in_utc(
    server: LangSmithServer, connect: Connect, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.rate_limited(email.utils.formatdate(time.time() + 20)), times=1)
    start = clock()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        connect().load(kept.id, base=HERE)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert clock() - start == pytest.approx(20, abs=2)


def test_a_429_that_asks_for_more_than_patience(server: LangSmithServer, connect: Connect, clock: SetClock) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.rate_limited("3600"))
    start = clock()
    told = refusal(connect(), kept.id)
    assert "says that this key asks too often (429), and to wait 3600 s more; longer than the 120 s" in told
    assert clock() == start


def test_a_429_without_end_ends(server: LangSmithServer, connect: Connect, clock: SetClock) -> None:
    kept = server.store.add(traces.made(3))
    server.faults.add(faults.rate_limited("10"))
    start = clock()
    assert "asks too often" in refusal(connect(), kept.id)
    assert clock() - start <= 121


def test_a_share_that_is_over(server: LangSmithServer, connect: Connect) -> None:
    told = refusal(connect(), f"{server.endpoint}/public/{NO_SUCH_RUN}/r")
    assert "has nothing shared under this address: it is wrong, or no longer shared." in told
    assert NO_SUCH_RUN not in told


def test_the_key_is_not_sent_where_only_an_address_points(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    told = refusal(connect(), f"https://smith.langchain.com/o/0/projects/p/x/r/{kept.id}")
    assert f"The address is of smith.langchain.com, but LANGSMITH_ENDPOINT names 127.0.0.1:{server.port}" in told
    assert server.log == []


def test_a_share_that_cannot_be_asked_for(server: LangSmithServer, connect: Connect) -> None:
    server.faults.add(Fault(lambda *_: Answer(["odd"], 418)))
    told = refusal(connect(), f"{server.endpoint}/public/{NO_SUCH_RUN}/r")
    assert told.endswith("refused the request (418).")


def test_a_path_is_nothing_to_fetch(connect: Connect) -> None:
    with pytest.raises(TraceError, match="a path, not the id or address of a trace in LangSmith"):
        connect().download("traces/sweep.json")


def test_two_runs_of_one_id_are_told(server: LangSmithServer, connect: Connect) -> None:
    runs = traces.made(2)
    kept = server.store.add([*runs, runs[1] | {"parent_run_id": runs[1]["id"]}])
    assert "cycle" in refusal(connect(), kept.id)
