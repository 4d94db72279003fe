"""The command ``pytest-refinery capture``: an agent is called once, and its trace is a file."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import cli
from pytest_refinery.expectations import tool_calls
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from pathlib import Path

AGENT = """\
from pytest_refinery import record


def answer(question):
    with record("opening_hours", "tool", inputs={"store": "Berlin"}) as run:
        run.outputs = "closed"
    if not question:
        raise ValueError("nothing was asked")
    return "From ten to four."
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "captured_shop.py").write_text(AGENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "captured_shop", raising=False)
    return tmp_path


def capture(*more: str, asked: object = "Open?") -> int:
    return cli.main(["capture", "captured_shop:answer", "--input", json.dumps({"question": asked}), *more])


def test_what_an_agent_did_is_a_trace_that_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert capture("-o", "traces/x.json") == 0
    trace = JsonFiles().load("traces/x.json", base=folder)
    assert answer.of(trace).text == "From ten to four."
    assert [(call.name, call.readings[0]) for call in tool_calls.of(trace)] == [("opening_hours", {"store": "Berlin"})]
    assert "2 runs saved; name them in an expectation file as trace: traces/x.json" in capsys.readouterr().err


def test_an_agent_that_raises_leaves_a_trace_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert capture("-o", "x.json", asked="") == 0
    assert JsonFiles().load("x.json", base=folder).root.error == "ValueError: nothing was asked"
    assert "the agent raised ValueError: nothing was asked" in capsys.readouterr().err


def test_a_file_is_not_overwritten_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.json").write_text("mine", encoding="utf-8")
    assert capture("-o", "x.json") == 1
    assert "x.json is there already" in capsys.readouterr().err
    assert capture("-o", "x.json", "--force") == 0
    assert (folder / "x.json").read_text(encoding="utf-8") != "mine"


def test_input_that_is_no_json_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["capture", "captured_shop:answer", "--input", "{question", "-o", "x.json"]) == 1
    assert "--input is not valid JSON" in capsys.readouterr().err


def test_a_trace_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert capture("-o", "-") == 0
    assert [run["name"] for run in json.loads(capsys.readouterr().out)] == ["captured_shop:answer", "opening_hours"]


def test_secrets_are_not_saved(folder: Path) -> None:
    key = f"sk-proj-{'a1B2' * 12}"
    assert capture("-o", "x.json", asked=f"My key is {key}") == 0
    assert key not in (folder / "x.json").read_text(encoding="utf-8")
