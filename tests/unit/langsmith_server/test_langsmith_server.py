"""The service of the tests is as strict as the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.langsmith_server import KEY, LangSmithServer, traces
from tests.langsmith_server.specification import PATH, specification
from tests.openai_server.clock import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[..., httpx2.Response]

ROOT = Path(__file__).resolve().parents[3]
WINDOW = {"min_start_time": "2000-01-01T00:00:00Z", "max_start_time": "2100-01-01T00:00:00Z"}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def server(clock: SetClock) -> Iterator[LangSmithServer]:
    with LangSmithServer(clock=clock) as server:
        yield server


@pytest.fixture
def ask(server: LangSmithServer) -> Iterator[Ask]:
    """Send a request with the key."""
    with httpx2.Client(base_url=server.endpoint, headers={"x-api-key": KEY}) as client:
        yield client.request


def of_trace(ask: Ask, trace: Any, **query: object) -> httpx2.Response:  # noqa: ANN401
    return ask("GET", f"/api/v2/traces/{trace.id}/runs", params={"project_id": trace.project_id, **query})


def test_v2_gives_the_id_alone_unless_told_otherwise(server: LangSmithServer, ask: Ask) -> None:
    trace = server.store.add(traces.made(2))
    (first, _) = of_trace(ask, trace, **WINDOW).json()["items"]
    assert first == {"id": trace.id}


def test_v2_looks_at_the_last_day_alone_unless_told_otherwise(server: LangSmithServer, ask: Ask) -> None:
    trace = server.store.add(traces.made(2))
    body = {"project_ids": [trace.project_id], "ids": [trace.id]}
    assert ask("POST", "/api/v2/runs/query", json=body).json()["items"] == []
    assert len(ask("POST", "/api/v2/runs/query", json=body | WINDOW).json()["items"]) == 1


@pytest.mark.parametrize(
    "query", [{}, WINDOW | {"selects": "EVERYTHING"}, WINDOW | {"page": 2}], ids=["no window", "field", "parameter"]
)
def test_v2_refuses_what_the_specification_does_not_know(
    server: LangSmithServer, ask: Ask, query: dict[str, object]
) -> None:
    if specification() is None:
        pytest.skip(f"{PATH.name} is not beside the checkout")
    assert of_trace(ask, server.store.add(traces.made(2)), **query).status_code == 422


def test_v1_gives_no_more_than_a_hundred_runs_at_a_time(server: LangSmithServer, ask: Ask) -> None:
    trace = server.store.add(traces.made(150))
    first = ask("POST", "/api/v1/runs/query", json={"trace": trace.id, "limit": 100}).json()
    assert len(first["runs"]) == 100
    cursor = first["cursors"]["next"]
    last = ask("POST", "/api/v1/runs/query", json={"trace": trace.id, "limit": 100, "cursor": cursor}).json()
    assert (len(last["runs"]), last["cursors"]["next"]) == (50, None)
    if specification() is not None:
        assert ask("POST", "/api/v1/runs/query", json={"trace": trace.id, "limit": 101}).status_code == 422


def test_v1_wants_to_know_what_to_look_for(ask: Ask) -> None:
    assert ask("POST", "/api/v1/runs/query", json={"limit": 1}).status_code == 400


@pytest.mark.parametrize(("path", "requests"), [("/api/v1/runs/query", 15), ("/api/v2/runs/query", 300)])
def test_one_request_too_many_is_refused_until_the_window_is_over(
    server: LangSmithServer, ask: Ask, clock: SetClock, path: str, requests: int
) -> None:
    trace = server.store.add(traces.made(1))
    body = {"id": [trace.id]} if "v1" in path else {"project_ids": [trace.project_id]}
    assert {ask("POST", path, json=body).status_code for _ in range(requests)} == {200}
    refused = ask("POST", path, json=body)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    clock.sleep(10)
    assert ask("POST", path, json=body).status_code == 200


def test_errors_have_the_form_of_their_version(server: LangSmithServer) -> None:
    old = httpx2.get(f"{server.endpoint}/api/v1/sessions")
    new = httpx2.get(f"{server.endpoint}/api/v2/traces/x/runs")
    assert (old.status_code, old.json()) == (401, {"detail": "Invalid token"})
    assert new.json().keys() == {"detail", "title", "status", "type"}


def test_it_can_be_started_by_hand(tmp_path: Path) -> None:
    export = tmp_path / "export.json"
    export.write_text(json.dumps(traces.made(4)), encoding="utf-8")
    command = [sys.executable, "-m", "tests.langsmith_server", "--port", "0", str(export)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
    assert lines[0].startswith("LANGSMITH_ENDPOINT=http://127.0.0.1:")
    assert lines[2].rstrip().endswith("4 runs")
