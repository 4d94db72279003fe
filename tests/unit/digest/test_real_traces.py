"""Every trace that we have: digests whole, groups whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.digest.grouping import group
from pytest_refinery.digest.lines import fold, split
from pytest_refinery.digest.render import digest
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import messages
from tests import data_paths
from tests.unit.digest import written_out

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Message, Trace

PATTERNS = (
    "langsmith_tau/nested/*.gz",
    "langsmith_tau/turns/*.gz",
    "langsmith_sdk_runs/*.json",
    "who_and_when/*/*.json",
    "langfuse/*.json",
    "anyagent-otel/*.json",
    "strands-otel/*.json",
)


def _files() -> list[Path]:
    return [path for pattern in PATTERNS for path in data_paths.loadable(pattern)]


def _named(path: Path) -> str:
    return str(path.relative_to(data_paths.SHARED))


@pytest.fixture(params=_files() or [data_paths.SHARED / PATTERNS[0]], ids=_named)
def trace(request: pytest.FixtureRequest) -> Trace:
    path: Path = request.param
    data_paths.require(_named(path))
    return JsonFiles().load(path.name, base=path.parent)


def _messages(trace: Trace) -> list[Message]:
    return [
        message for run in trace.runs for side in (run.inputs, run.outputs) for message in messages.read(side).messages
    ]


def test_every_message_text_is_in_the_digest(trace: Trace) -> None:
    text = digest(trace).text
    found = written_out.items(text)
    written = set(found.values())
    for message in _messages(trace):
        assert "\n".join(split(message.text)) in written
    assert {fold(thought) for thought in written_out.thoughts(text)} >= {
        fold(message.thinking) for message in _messages(trace) if message.thinking
    }


def test_every_tool_call_is_in_the_digest(trace: Trace) -> None:
    names = set(re.findall(r"^call ([\w.-]+)\(", digest(trace).text, flags=re.MULTILINE))
    assert names == {call.name for message in _messages(trace) for call in message.tool_calls}


def test_every_run_is_in_the_digest_and_in_its_groups(trace: Trace) -> None:
    digested = digest(trace)
    ids = [run.id for run in trace.runs]
    assert [entry.run_id for entry in digested.entries] == ids
    assert [line for line in digested.text.split("\n") if line.startswith("#")] == [
        entry.text.partition("\n")[0] for entry in digested.entries
    ]
    groups = group(digested, group_tokens=3000)
    assert list(dict.fromkeys(run_id for each in groups for run_id in each.run_ids)) == ids
    assert all(each.tokens <= 3000 for each in groups)
