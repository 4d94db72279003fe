from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import messages
from tests.data_paths import SHARED, loadable, require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

Record = dict[str, Any]

ROOT: Record = {
    "id": "r1",
    "trace_id": "r1",
    "name": "agent",
    "run_type": "chain",
    "start_time": "2026-03-02T09:00:00+00:00",
    "end_time": "2026-03-02T09:00:09+00:00",
    "inputs": {"question": "How much cash do I hold?"},
    "outputs": {"answer": "1,204.50 USD"},
}
MODEL: Record = {
    "id": "r2",
    "trace_id": "r1",
    "parent_run_id": "r1",
    "name": "model",
    "run_type": "llm",
    "start_time": "2026-03-02T09:00:01+00:00",
    "end_time": "2026-03-02T09:00:03+00:00",
    "inputs": {"messages": [{"role": "user", "content": "How much cash do I hold?"}]},
    "outputs": None,
}
TOOL: Record = {
    "id": "r3",
    "trace_id": "r1",
    "parent_run_id": "r1",
    "name": "get_portfolio",
    "run_type": "tool",
    "start_time": "2026-03-02T09:00:04+00:00",
    "end_time": "2026-03-02T09:00:05+00:00",
    "inputs": {"account": "A-1"},
    "outputs": {"output": "cash: 1,204.50 USD"},
}
RUNS = [ROOT, MODEL, TOOL]
TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good morning."}]


def load(folder: Path, content: object) -> Trace:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "trace.json").write_bytes(data)
    return JsonFiles().load("trace.json", base=folder)


def refusal(folder: Path, content: object) -> str:
    with pytest.raises(TraceError) as caught:
        load(folder, content)
    return str(caught.value).removeprefix(str(folder / "trace.json"))


def lines(values: list[Record]) -> bytes:
    return "\n".join(json.dumps(value) for value in values).encode()


def tree() -> Record:
    return {**ROOT, "child_runs": [{**run, "parent_run_id": None} for run in (MODEL, TOOL)]}


def batch() -> Record:
    opened = [{key: item for key, item in run.items() if key not in {"end_time", "outputs"}} for run in RUNS]
    closed = [{key: run[key] for key in ("id", "trace_id", "end_time", "outputs")} for run in RUNS]
    return {"post": opened, "patch": closed}


FORMS: dict[str, Callable[[], object]] = {
    "a list": lambda: RUNS,
    "a list under runs": lambda: {"runs": RUNS, "cursors": {"next": None}},
    "a list under items": lambda: {"items": RUNS, "next_cursor": None},
    "pages": lambda: [RUNS[:1], RUNS[1:]],
    "a tree": tree,
    "a list with a tree": lambda: [tree()],
    "the client's batch": batch,
    "JSON lines": lambda: lines(RUNS),
    "JSON lines of batches": lambda: lines([{"post": [run]} for run in RUNS]),
    "JSON lines of wrappers": lambda: lines([{"runs": RUNS[:2]}, {"runs": RUNS[2:]}]),
    "indented JSON": lambda: json.dumps(RUNS, indent=4).encode(),
    "with a byte order mark": lambda: b"\xef\xbb\xbf" + json.dumps(RUNS).encode(),
    "with Windows line ends": lambda: json.dumps(RUNS, indent=1).replace("\n", "\r\n").encode(),
    "one object a file end": lambda: lines(RUNS) + b"\n\n",
}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_export_gives_the_same_trace(tmp_path: Path, form: str, zipped: bool) -> None:  # noqa: FBT001
    expected = load(tmp_path, RUNS)
    content = FORMS[form]()
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert load(tmp_path, gzip.compress(data) if zipped else data) == expected


def test_an_export_is_a_trace_with_its_root_first(tmp_path: Path) -> None:
    trace = load(tmp_path, RUNS)
    assert (trace.id, trace.name, trace.format, trace.notes) == ("r1", "agent", "langsmith", ())
    assert [run.id for run in trace.runs] == ["r1", "r2", "r3"]
    assert trace.source == str(tmp_path / "trace.json")


@given(runs=st.permutations(RUNS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_the_file_does_not_matter(tmp_path: Path, runs: list[Record]) -> None:
    assert load(tmp_path, runs) == load(tmp_path, RUNS)


def test_a_single_run_is_a_trace(tmp_path: Path) -> None:
    assert [run.id for run in load(tmp_path, ROOT).runs] == ["r1"]


def test_runs_without_their_parent_stand_as_roots_and_a_note_says_so(tmp_path: Path) -> None:
    trace = load(tmp_path, RUNS[1:])
    assert [run.id for run in trace.roots] == ["r2", "r3"]
    assert trace.id == "r1"
    assert trace.notes == ("Runs that stand as roots because their parent is not in the file: 2.",)


def test_the_traces_of_a_thread_are_read_as_one_in_time_order(tmp_path: Path) -> None:
    later = {**ROOT, "id": "s1", "trace_id": "s1", "start_time": "2026-03-02T10:00:00+00:00"}
    trace = load(tmp_path, [later, *RUNS])
    assert [run.id for run in trace.roots] == ["r1", "s1"]
    assert (trace.id, trace.root.id) == ("r1", "s1")
    assert trace.notes == ("The file holds 2 traces; they are read as one, in the order of their times.",)


TRANSCRIPTS: dict[str, Callable[[], object]] = {
    "a list": lambda: TURNS,
    "under messages": lambda: {"id": "c-7", "messages": TURNS},
    "under history": lambda: {"question": "?", "history": TURNS},
    "JSON lines": lambda: lines(TURNS),
    "a list in a list": lambda: [TURNS],
    "a list in a list under messages": lambda: {"messages": [TURNS]},
}


@pytest.mark.parametrize("form", TRANSCRIPTS)
def test_every_form_of_a_transcript_gives_the_same_trace(tmp_path: Path, form: str) -> None:
    trace = load(tmp_path, TRANSCRIPTS[form]())
    assert trace == load(tmp_path, TURNS)
    assert (trace.format, trace.name) == ("transcript", "trace")
    assert [(run.id, run.name, run.kind, run.outputs) for run in trace.runs] == [
        ("0", "user", "message", TURNS[0]),
        ("1", "assistant", "message", TURNS[1]),
    ]


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_transcript_of_pairs_is_read(tmp_path: Path, zipped: bool) -> None:  # noqa: FBT001
    data = json.dumps([["human", "Hello"], ["ai", "Good morning."]]).encode()
    trace = load(tmp_path, gzip.compress(data) if zipped else data)
    spoken = [message for run in trace.runs for message in messages.read([run.outputs]).messages]
    assert [(run.name, message.text) for run, message in zip(trace.runs, spoken, strict=True)] == [
        ("user", "Hello"),
        ("assistant", "Good morning."),
    ]


def test_a_named_speaker_names_the_run(tmp_path: Path) -> None:
    trace = load(tmp_path, {"history": [{"role": "user", "name": "Verifier", "content": "Done."}, *TURNS]})
    assert trace.runs[0].name == "Verifier"


def test_a_transcript_has_the_same_id_wherever_it_stands(tmp_path: Path) -> None:
    first, second = load(tmp_path, TURNS), load(tmp_path, {"messages": TURNS})
    assert first.id == second.id != load(tmp_path, TURNS[1:]).id


WAYS = (
    " docs/reference/trace-formats.md lists the formats that are read and how to get them; the hook "
    "pytest_refinery_trace_source reads one of your own."
)
NO_TRACE = f": no runs and no messages in it.{{}}{WAYS}"
MISSING = f" What they say would be missing.{WAYS}"


def test_an_entry_of_a_transcript_without_a_role_is_not_passed_over(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"messages": [TURNS[0], {"speaker": "Bob", "said": "Hi"}, TURNS[1]]})
    assert said == f": 1 of 3 entries under 'messages' has no role: keys speaker, said.{MISSING}"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({}, ""),
        ({"runs": []}, " Its keys: runs."),
        ({"messages": []}, " Its keys: messages."),
        ({"error": "not found"}, " Its keys: error."),
        ([1], " What is in it: a number."),
        ("text", " What is in it: a text."),
        (None, ""),
    ],
)
def test_a_file_without_runs_or_messages_is_refused(tmp_path: Path, content: object, found: str) -> None:
    assert refusal(tmp_path, content) == NO_TRACE.format(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": there is nothing in it; export the trace again."),
        (b" \n", ": there is nothing in it; export the trace again."),
        ([], ": there is nothing in it; export the trace again."),
        (gzip.compress(b"", mtime=0), ": there is nothing in it; export the trace again."),
        (b"[{", ":1:3: not valid JSON: the file ends in the middle; it may be cut off."),
        (b"<html>", f": it looks like HTML or XML, which is not read; export the trace as JSON.{WAYS}"),
        (b"nothing", ":1:1: not valid JSON: expecting value."),
        ([*RUNS, 5], ": entry 4 is a number, not a run object."),
        (["x", *RUNS], ": entry 1 is a text, not a run object."),
        ([*TURNS, 5], f": 1 of 3 entries is no message (a number).{MISSING}"),
        ([*TURNS, {"speaker": "Bob"}], f": 1 of 3 entries has no role: keys speaker.{MISSING}"),
        ({"messages": [*TURNS, True]}, f": 1 of 3 entries under 'messages' is no message (true or false).{MISSING}"),
        ({"runs": [ROOT, "r2"]}, ": entry 2 is a text, not a run object."),
        ({"runs": [ROOT, [MODEL, 5]]}, ": entry 3 is a number, not a run object."),
        ([ROOT, {"name": "model", "run_type": "llm"}], ": run 2 (model) has no id; export the runs with their ids."),
        ([{**ROOT, "id": None}], ": run 1 (agent) has no id; export the runs with their ids."),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_a_sentence(tmp_path: Path, content: object, said: str) -> None:
    assert refusal(tmp_path, content) == said


def test_a_cycle_of_parents_is_refused(tmp_path: Path) -> None:
    runs = [ROOT, {**MODEL, "parent_run_id": "r3"}, {**TOOL, "parent_run_id": "r2"}]
    assert refusal(tmp_path, runs) == ": the parents of run r2 form a cycle, so the trace has no order."


def test_a_run_that_is_its_own_parent_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, [{**ROOT, "parent_run_id": "r1"}]).startswith(": the parents of run r1 form a cycle")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, json.dumps(RUNS).encode("utf-16"))
    assert said == ": not UTF-8 (invalid start byte); export the trace as UTF-8 JSON."


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError) as caught:
        JsonFiles().load(".", base=tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a directory; name the trace file in it."


def test_a_missing_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    load(tmp_path, RUNS)
    with pytest.raises(TraceError) as caught:
        JsonFiles().load("trase.json", base=tmp_path)
    assert str(caught.value) == f"{tmp_path / 'trase.json'}: no such trace file. Did you mean 'trace.json'?"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError) as caught:
        JsonFiles().load("none/trace.json", base=tmp_path)
    said = f"{tmp_path / 'none/trace.json'}: no such trace file. Its folder {tmp_path / 'none'} does not exist either."
    assert str(caught.value) == said


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    load(tmp_path, RUNS)
    with pytest.raises(TraceError, match=r"cannot be read \(Not a directory\)\."):
        JsonFiles().load("trace.json/inner.json", base=tmp_path)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot be read \(File name too long\)\."):
        JsonFiles().load("x" * 5000, base=tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    load(tmp_path, RUNS)
    (tmp_path / "trace.json").chmod(0)
    with pytest.raises(TraceError, match=r"cannot be read \(Permission denied\)\."):
        JsonFiles().load("trace.json", base=tmp_path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id trace_id name run_type dotted_order parent_run_id parent_run_ids start_time end_time latency_seconds status "
    "inputs outputs error error_preview extra metadata tags serialized manifest child_runs prompt_tokens total_tokens"
).split()
ODD_RECORDS = st.dictionaries(st.sampled_from(FIELDS), ANYTHING).map(lambda odd: {"run_type": "llm", "id": "x", **odd})


@given(records=st.lists(ODD_RECORDS, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_odd_records_load_or_are_refused_in_a_sentence(tmp_path: Path, records: list[Record]) -> None:
    try:
        trace = load(tmp_path, records)
    except TraceError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017  (loading may also succeed)
    else:
        assert all(messages.answer_text(run.outputs) is None or run.outputs is not None for run in trace.runs)


@given(value=ANYTHING)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_file_loads_or_is_refused_in_a_sentence(tmp_path: Path, value: object) -> None:
    try:
        assert load(tmp_path, value).runs
    except TraceError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017


def recorded(pattern: str) -> list[object]:
    found = loadable(pattern)
    return [pytest.param(path, id=path.relative_to(SHARED).as_posix()) for path in found] or [
        pytest.param(SHARED / pattern.replace("*", "any"), id=pattern)
    ]


@pytest.mark.parametrize("path", [*recorded("langsmith_tau/*/*.gz"), *recorded("langsmith_sdk_runs/*.json")])
def test_recorded_exports_load(path: Path) -> None:
    require(*path.relative_to(SHARED).parts)
    trace = JsonFiles().load(path.name, base=path.parent)
    assert trace.format == "langsmith"
    assert all(run.started_at for run in trace.runs)
    assert not any("roots" in note or "merged" in note for note in trace.notes)
    assert messages.answer_text(trace.root.outputs)


@pytest.mark.parametrize("path", recorded("who_and_when/*/*.json"))
def test_recorded_transcripts_load(path: Path) -> None:
    require(*path.relative_to(SHARED).parts)
    spoken = json.loads(path.read_text())["history"]
    trace = JsonFiles().load(path.name, base=path.parent)
    assert [run.id for run in trace.runs] == [str(index) for index in range(len(spoken))]
    assert [message.text for run in trace.runs for message in messages.read([run.outputs]).messages] == [
        turn["content"] for turn in spoken
    ]


def test_a_trace_is_read_once_for_all_its_expectations(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"role": "assistant", "content": "one"}]', encoding="utf-8")
    source = JsonFiles()
    assert source.load("t.json", base=tmp_path) is source.load("t.json", base=tmp_path)


def test_a_trace_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"role": "assistant", "content": "one"}]', encoding="utf-8")
    source = JsonFiles()
    first = source.load("t.json", base=tmp_path)
    path.write_text('[{"role": "assistant", "content": "another"}]', encoding="utf-8")
    assert source.load("t.json", base=tmp_path) != first
