"""The command that saves a trace of LangSmith as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli
from pytest_refinery.sources.json_files import JsonFiles
from tests.langsmith_server import KEY, faults, traces

if TYPE_CHECKING:
    from tests.langsmith_server import LangSmithServer
    from tests.langsmith_server.store import Trace


@pytest.fixture
def kept(server: LangSmithServer) -> Trace:
    return server.store.add(traces.made(6, name="Support agent"))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert cli.main(["fetch", *arguments]) == status
    return capsys.readouterr().err


def test_the_file_is_named_after_the_trace(kept: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"support-agent-{kept.id[:8]}.json"
    assert said(capsys, kept.id) == (
        f"pytest-refinery: 6 runs saved; name them in an expectation file as trace: {name}\n"
    )
    assert len(JsonFiles().load(name, base=Path()).runs) == 6


@pytest.mark.parametrize("place", ["mine.json", "new/folder/mine.json"])
def test_or_as_told(kept: Trace, capsys: pytest.CaptureFixture[str], place: str) -> None:
    said(capsys, kept.id, place, "--project", "default")
    assert len(JsonFiles().load(place, base=Path()).runs) == 6


def test_a_dash_prints_it(kept: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", kept.id, "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6
    assert list(Path().glob("*.json")) == []


def test_nothing_is_overwritten_unless_told_to(
    server: LangSmithServer, kept: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.json").write_text("mine")
    assert "mine.json is there already; name another file, or overwrite it with --force." in said(
        capsys, kept.id, "mine.json", status=1
    )
    assert server.log == []
    assert Path("mine.json").read_text() == "mine"
    said(capsys, kept.id, "mine.json", "--force")
    assert len(JsonFiles().load("mine.json", base=Path()).runs) == 6


def test_a_name_made_of_the_trace_is_not_overwritten_either(kept: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, kept.id)
    assert "is there already" in said(capsys, kept.id, status=1)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_is_no_file(kept: Trace, capsys: pytest.CaptureFixture[str], force: tuple[str, ...]) -> None:
    Path("folder").mkdir()
    assert said(capsys, kept.id, "folder", *force, status=1).startswith("pytest-refinery: folder ")


def test_a_trace_that_still_runs_is_saved_with_a_warning(
    server: LangSmithServer, capsys: pytest.CaptureFixture[str]
) -> None:
    running = server.store.add(traces.with_change(traces.made(3), 2, status="pending", end_time=None))
    assert "warning: It is still running: 1 of its 3 runs" in said(capsys, running.id, "running.json")
    assert [run.is_pending for run in JsonFiles().load("running.json", base=Path()).runs] == [False, False, True]


def test_each_fetch_asks_again(server: LangSmithServer, kept: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        said(capsys, server.page_of(kept), "mine.json", "--force")
    assert len(server.log) == 2


def test_what_goes_wrong_is_one_sentence(
    server: LangSmithServer, kept: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults.add(faults.unauthorised())
    told = said(capsys, kept.id, status=1)
    assert told.startswith(
        f"pytest-refinery: LangSmith trace {kept.id}: 127.0.0.1:{server.port} does not accept the key"
    )
    assert told.count("\n") == 1
    assert KEY not in told


@pytest.mark.parametrize("reference", ["traces/sweep.json", "sweep"])
def test_a_path_is_nothing_to_fetch(
    server: LangSmithServer, capsys: pytest.CaptureFixture[str], reference: str
) -> None:
    told = said(capsys, reference, status=1)
    assert told == (
        f"pytest-refinery: {reference}: a path, not the id or address of a trace in LangSmith; "
        "there is nothing to fetch.\n"
    )


def test_an_endpoint_that_is_no_address(
    kept: Trace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "smith.example.com")
    assert "LANGSMITH_ENDPOINT must be the address of an API" in said(capsys, kept.id, status=1)


def test_diagnose_takes_an_id_too(kept: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", kept.id, "--expect", "The agent counts."]) == 0
    assert "Root cause" in capsys.readouterr().out
