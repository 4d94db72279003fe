"""Traces arrive whole, in few requests, from every kind of LangSmith."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import require
from tests.langsmith_server import KEY, traces
from tests.langsmith_server.specification import PATH, specification

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith.source import LangSmith
    from pytest_refinery.traces.model import Trace
    from tests.langsmith_server import LangSmithServer

    Connect = Callable[..., LangSmith]

HERE = Path()


def shape(trace: Trace) -> list[tuple[object, ...]]:
    """Return what must be the same whichever way a trace came."""
    return [
        (run.id, run.parent_id, run.name, run.kind, run.inputs, run.outputs, run.error, run.started_at, run.tags)
        for run in trace.runs
    ]


@pytest.mark.parametrize("project", [None, "support"])
@pytest.mark.parametrize(("has_v2", "most_requests"), [(True, 2), (False, 12)], ids=["v2", "v1"])
def test_a_thousand_runs_arrive_whole_in_few_requests(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
    most_requests: int,
    project: str | None,
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(1_000), project="support")
    found = connect().load(kept.id, base=HERE, project=project)
    assert {run.id for run in found.runs} == {run["id"] for run in kept.runs}
    assert len(found.roots) == 1
    assert len(server.log) <= most_requests


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_every_way_to_name_a_trace_gives_the_same_trace(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(120), project="support")
    child = kept.runs[7]["id"]
    names = [
        child,
        server.page_of(kept),
        server.page_of(kept, query="?poll=true"),
        server.page_of(kept, child),
        server.page_of(kept, child, f"?trace_id={kept.id}&poll=true"),
        f"{server.endpoint}/public/{server.store.share(kept)}/r",
    ]
    source = connect(LANGSMITH_PROJECT="support")
    expected = shape(source.load(kept.id, base=HERE))
    assert [shape(source.load(name, base=HERE)) == expected for name in names] == [True] * len(names)


def test_the_project_is_that_of_the_file_else_that_of_the_environment(
    server: LangSmithServer, connect: Connect
) -> None:
    there = server.store.add(traces.made(3), project="there")
    server.store.add(traces.made(4), project="here")
    source = connect(LANGSMITH_PROJECT="here")
    assert len(source.load(there.id, base=HERE, project="there").runs) == 3
    assert len(source.load(there.id, base=HERE, project=there.project_id).runs) == 3
    with pytest.raises(TraceError, match="in project 'here'"):
        source.load(there.id, base=HERE)


def test_a_project_is_looked_up_once(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(3), project="support")
    source = connect(LANGSMITH_PROJECT="support")
    for _ in range(3):
        source.load(kept.id, base=HERE)
    assert server.asked.count("GET /api/v1/sessions") == 1


def test_that_a_backend_has_no_v2_is_learned_once(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(3))
    source = connect()
    for _ in range(3):
        source.load(server.page_of(kept), base=HERE)
    assert sum("/v2/" in asked for asked in server.asked) == 1


def test_a_backend_without_v1_is_enough_where_the_project_is_known(server: LangSmithServer, connect: Connect) -> None:
    server.has_v1 = False
    kept = server.store.add(traces.made(9))
    assert len(connect(LANGSMITH_PROJECT="default").load(kept.id, base=HERE).runs) == 9


@pytest.mark.parametrize("has_root_only", [False, True], ids=["all at once", "one by one"])
def test_a_share_needs_no_key_and_is_shown_none(
    server: LangSmithServer,
    connect: Connect,
    has_root_only: bool,  # noqa: FBT001
) -> None:
    server.shares_root_only = has_root_only
    kept = server.store.add(traces.made(250))
    token = server.store.share(kept)
    found = connect(LANGSMITH_API_KEY=KEY).load(f"{server.endpoint}/public/{token}/r", base=HERE)
    assert len(found.runs) == 250
    assert {each.request.key for each in server.log} == {None}
    assert token not in repr(found)


def test_the_workspace_is_told_where_one_is_chosen(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(1))
    connect(LANGSMITH_WORKSPACE_ID="w-1").load(kept.id, base=HERE)
    assert {each.request.workspace for each in server.log} == {"w-1"}


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_what_is_asked_never_changes(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    """A recording answers only what it was asked."""
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(150))
    asked = []
    for _ in range(2):
        before = len(server.log)
        connect().load(kept.id, base=HERE)
        asked.append([each.request for each in server.log[before:]])
    assert asked[0] == asked[1]


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_what_goes_over_the_wire_is_what_the_specification_says(
    server: LangSmithServer,
    connect: Connect,
    has_v2: bool,  # noqa: FBT001
) -> None:
    official = specification()
    if official is None:
        pytest.skip(f"{PATH.name} is not beside the checkout")
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(130), project="support", stored_apart=True)
    source = connect(LANGSMITH_PROJECT="support")
    for name in (kept.id, kept.runs[3]["id"], f"{server.endpoint}/public/{server.store.share(kept)}/r"):
        source.load(name, base=HERE)
    answered = [each for each in server.log if each.answer.status == 200 and each.request.path.startswith("/api/")]
    assert len(answered) > 4
    assert [official.problem_of_request(each.request) for each in answered] == [None] * len(answered)
    assert [official.problem_of_answer(each.request, each.answer.body) for each in answered] == [None] * len(answered)


@pytest.mark.parametrize("has_v2", [True, False], ids=["v2", "v1"])
def test_a_real_trace_is_the_same_from_langsmith_as_from_its_export(
    server: LangSmithServer,
    connect: Connect,
    tmp_path: Path,
    has_v2: bool,  # noqa: FBT001
) -> None:
    server.has_v2 = has_v2
    export = min(path for path in require("langsmith_tau", "nested").iterdir() if ".json" in path.suffixes)
    kept = server.store.add(traces.exported(export))
    source = connect()
    expected = shape(JsonFiles().load(str(export), base=HERE))
    assert shape(source.load(kept.id, base=HERE)) == expected
    saved = tmp_path / "saved.json"
    saved.write_text(source.download(kept.id).as_json(), encoding="utf-8")
    assert shape(JsonFiles().load(str(saved), base=HERE)) == expected


def test_a_saved_trace_holds_nothing_that_opens_it_to_others(server: LangSmithServer, connect: Connect) -> None:
    server.has_v2 = False
    kept = server.store.add(traces.made(5), stored_apart=True)
    text = connect().download(kept.id).as_json()
    assert "Signature" not in text
    assert not {"share_token", "inputs_s3_urls"} & json.loads(text)[0].keys()


def test_a_file_is_called_after_the_root_and_the_id(server: LangSmithServer, connect: Connect) -> None:
    kept = server.store.add(traces.made(2, name="Support: agent/é ../.."))
    assert connect().download(kept.id).file_name == f"support-agent-{kept.id[:8]}.json"
