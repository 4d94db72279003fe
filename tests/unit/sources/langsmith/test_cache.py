"""A trace is fetched once, by whoever needs it first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.langsmith.cache import FolderOfParts, TraceCache
from tests.fakes import FakeClock
from tests.langsmith_server import faults, traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith.source import LangSmith
    from tests.langsmith_server import LangSmithServer

    Connect = Callable[..., LangSmith]

HERE = Path()


def test_another_process_finds_what_one_has_fetched(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(40))
    first = connect(cache=True).load(kept.id, base=HERE)
    asked = len(server.log)
    assert connect(cache=True).load(kept.id, base=HERE) == first
    assert len(server.log) == asked


def test_without_a_cache_it_is_fetched_again(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    for _ in range(2):
        connect().load(kept.id, base=HERE)
    assert len(server.log) == 4


def test_an_id_and_the_address_of_its_page_are_one_trace(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    source = connect(cache=True)
    source.load(kept.id, base=HERE)
    asked = len(server.log)
    source.load(server.page_of(kept, query=f"?trace_id={kept.id}"), base=HERE)
    assert len(server.log) == asked


def test_many_threads_of_many_processes_fetch_once(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(30))
    sources = [connect(cache=True) for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda number: sources[number % 4].load(kept.id, base=HERE), range(12)))
    assert [trace == found[0] for trace in found] == [True] * 12
    assert len(server.log) == 2


def test_a_trace_that_was_still_running_is_not_kept(server: LangSmithServer, connect: Connect) -> None:
    running = traces.with_change(traces.made(3), 0, status="pending", end_time=None)
    server.store.add(running)
    with pytest.raises(TraceError, match="still running"):
        connect(cache=True).load(running[0]["id"], base=HERE)
    server.store.traces.clear()
    kept = server.store.add(traces.made(3))
    assert len(connect(cache=True).load(kept.id, base=HERE).runs) == 3


def test_what_was_fetched_stays_while_langsmith_is_down(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3))
    other = server.store.add(traces.made(4))
    source = connect(cache=True)
    source.load(kept.id, base=HERE)
    server.faults.add(faults.down())
    with pytest.raises(TraceError, match="traces that were fetched before are still there"):
        source.load(other.id, base=HERE)
    assert len(source.load(kept.id, base=HERE).runs) == 3


@pytest.mark.parametrize("written", [b"", b"{", b'{"runs": []}', b'{"runs": [{"id": "cut o', b"\xff\xfe", b"[1]"])
def test_a_file_that_is_not_whole_is_fetched_again(
    server: LangSmithServer, connect: Connect, tmp_path: Path, written: bytes
) -> None:
    kept = server.store.add(traces.made(3))
    connect(cache=True).load(kept.id, base=HERE)
    (path,) = (tmp_path / "traces").glob("*.json")
    path.write_bytes(written)
    assert len(connect(cache=True).load(kept.id, base=HERE).runs) == 3
    assert path.stat().st_size > 1_000


def test_a_folder_that_cannot_be_made_costs_only_the_next_run(
    server: LangSmithServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "traces").write_text("not a folder")
    kept = server.store.add(traces.made(3))
    for _ in range(2):
        assert len(connect(cache=True).load(kept.id, base=HERE).runs) == 3


def test_no_name_of_a_file_tells_the_token_of_a_share(
    server: LangSmithServer, connect: Connect, tmp_path: Path
) -> None:
    token = server.store.share(server.store.add(traces.made(3)))
    connect(cache=True).load(f"{server.endpoint}/public/{token}/r", base=HERE)
    assert [token[:8] in path.name for path in (tmp_path / "traces").iterdir()] == [False, False]
    assert token not in "".join(path.read_text() for path in (tmp_path / "traces").iterdir())


def test_what_came_before_the_trouble_is_not_fetched_again(
    server: LangSmithServer, connect: Connect, tmp_path: Path
) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(450), stored_apart=True)
    server.faults.add(faults.down(), path="/api/v1/runs/query", after=3)
    with pytest.raises(TraceError, match="it answers 503"):
        connect(cache=True).load(server.page_of(kept), base=HERE)
    server.faults.clear()
    before = len(server.log)
    assert len(connect(cache=True).load(server.page_of(kept), base=HERE).runs) == 450
    asked = server.asked[before:]
    assert asked.count("POST /api/v1/runs/query") == 2
    assert sum("/blobs/" in each for each in asked) == 2 * 150
    assert list((tmp_path / "traces").glob("*.parts")) == []


def test_parts_of_a_trace_that_goes_on_are_not_kept(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    runs = traces.made(250)
    server.store.add(traces.with_change(runs, 120, status="pending", end_time=None)[:240])
    with pytest.raises(TraceError, match="1 of its 240 runs"):
        connect(cache=True).load(runs[0]["id"], base=HERE, project="default")
    server.store.traces.clear()
    server.store.add(runs)
    found = connect(cache=True).load(runs[0]["id"], base=HERE, project="default")
    assert len(found.runs) == 250
    assert not any(run.is_pending for run in found.runs)


def test_parts_are_forgotten_after_an_hour(tmp_path: Path) -> None:
    clock = FakeClock(time.time())
    parts = FolderOfParts(tmp_path, clock=clock)
    values = iter([{"n": 1}, {"n": 2}, {"n": 3}])

    def part() -> object:
        return parts.part("a", lambda: next(values), is_final=lambda _: True)

    assert (part(), part()) == ({"n": 1}, {"n": 1})
    clock.now += 3_601
    assert part() == {"n": 2}


def test_a_part_that_may_change_is_not_kept(tmp_path: Path) -> None:
    parts = FolderOfParts(tmp_path)
    values = iter([{"n": 1}, {"n": 2}])
    found = [parts.part("a", lambda: next(values), is_final=lambda _: False) for _ in range(2)]
    assert found == [{"n": 1}, {"n": 2}]


def test_another_process_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    fetched = [{"id": "1"}]
    cache = TraceCache(tmp_path, patience_seconds=0.01)

    def fetch_and_ask_again(_: object) -> list[dict[str, str]]:
        with pytest.raises(TraceError, match=r"Another process has been fetching it for 0\.01 s"):
            TraceCache(tmp_path, patience_seconds=0.01).records("a", lambda _: fetched)
        return fetched

    assert cache.records("a", fetch_and_ask_again) == fetched
