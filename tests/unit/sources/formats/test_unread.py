"""What is not understood is not passed over: no check passes for lack of what it looks for."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_refinery.errors import CheckError, TraceError
from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer, conversation
from tests.unit.sources.formats import opening_hours
from tests.unit.sources.formats.opening_hours import ANSWER, SAMPLES, TOOL
from tests.unit.sources.formats.scenario import passes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

MARKS = frozenset({"is_error", "status", "error", "error_info", "exception"})
CHAT = opening_hours.openai()


def load(folder: Path, content: object, name: str = "trace.json", part: str = "") -> Trace:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / name).write_bytes(data)
    return JsonFiles().load(name + part, base=folder)


def refusal(folder: Path, content: object, name: str = "trace.json", part: str = "") -> str:
    with pytest.raises(TraceError) as caught:
        load(folder, content, name, part)
    return str(caught.value).removeprefix(str(folder / name))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"messages": [{"id": 1, "timestamp": 2, "type": "x"}, *CHAT]},
            ": 1 of 6 entries under 'messages' has no role: keys id, timestamp, type.",
        ),
        ([{"role": "user"}, *CHAT], ": 1 of 6 entries has no known content: keys role."),
        (
            [*CHAT[:4], {"role": "assistant", "content": [{"type": "hologram", "beam": 1}]}],
            ": its messages have blocks of unknown kinds: 'hologram' (1).",
        ),
        (CHAT[:2], ": there is no text of any assistant in it (2 runs; 1 system, 1 user)."),
        ({"log": {"entries": []}}, ": no runs and no messages in it. It looks like a HAR file:"),
        ([{"inputs": {"q": 1}, "outputs": {"a": 2}}], ": no runs and no messages in it. It looks like examples of"),
        ({"a": 1, "b": 2}, ": no runs and no messages in it. Its keys: a, b."),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, content: object, said: str) -> None:
    assert refusal(tmp_path, content).startswith(said)


@pytest.mark.parametrize(
    ("name", "content", "look"),
    [
        ("runs.csv", b"ID,Name,Inputs\n1,desk,{}\n", "a table (CSV)"),
        ("spans.parquet", b"PAR1\x15\x04\x15\x10", "Parquet"),
        ("log.eval", b"PK\x03\x04\x14\x00", "a log of inspect_ai"),
        ("chat.txt", b"User: Are you open?\nAssistant: Yes.\n", "a dialogue in plain text"),
        ("history.md", b"# chat of today\n\n#### Are you open?\n\nYes.\n", "Markdown"),
        ("page.html", b"<!doctype html><html></html>", "HTML or XML"),
    ],
)
def test_a_file_that_is_no_json_is_called_what_it_looks_like(
    tmp_path: Path, name: str, content: bytes, look: str
) -> None:
    said = refusal(tmp_path, content, name)
    assert said.startswith(f": it looks like {look}")
    assert "docs/reference/trace-formats.md" in said
    assert "pytest_refinery_trace_source" in said


def test_an_export_without_contents_is_refused(tmp_path: Path) -> None:
    runs = [{**run, "inputs": {}, "outputs": None} for run in opening_hours.langsmith_rows(fails=False)]
    assert refusal(tmp_path, runs).startswith(": none of its 3 runs of models and tools has inputs or outputs;")


def test_the_first_of_many_records_does_not_decide(tmp_path: Path) -> None:
    strangers: list[object] = [{"level": "info", "line": number} for number in range(9)]
    assert "no runs and no messages" in refusal(tmp_path, [opening_hours.otlp(fails=False)[0], *strangers])


def test_more_records_that_are_not_read_than_read_are_refused(tmp_path: Path) -> None:
    strangers = [{"level": "info", "line": number} for number in range(90)]
    said = refusal(tmp_path, [*opening_hours.otlp(fails=False) * 10, *strangers])
    assert said.startswith(": 90 of 130 records are no spans: level line.")


def test_one_of_several_conversations_is_named(tmp_path: Path) -> None:
    other = [{"role": "user", "content": "Do you sell rye?"}, {"role": "assistant", "content": "We do."}]
    several = opening_hours.lines({"id": "a", "messages": CHAT}, {"id": "b", "messages": other})
    assert refusal(tmp_path, several).startswith(": it holds 2 conversations: #1 (a), #2 (b). Name one,")
    assert answer.of(load(tmp_path, several, part="#2")).text == "We do."
    assert answer.of(load(tmp_path, several, part="#a")).text == ANSWER


def test_conversations_by_their_ids_are_several(tmp_path: Path) -> None:
    other = [{"role": "user", "content": "Do you sell rye?"}, {"role": "assistant", "content": "We do."}]
    sessions = {"a": {"messages": CHAT}, "b": {"messages": other}}
    assert refusal(tmp_path, sessions).startswith(": it holds 2 conversations: #1 (a), #2 (b). Name one,")
    assert answer.of(load(tmp_path, sessions, part="#b")).text == "We do."


def test_a_format_that_leaves_calls_out_decides_nothing_about_them(tmp_path: Path) -> None:
    page = opening_hours.assistants(fails=False)
    page["data"] = [item for item in page["data"] if item["object"] == "thread.message"]
    trace = load(tmp_path, page)
    assert answer.of(trace).text == ANSWER
    for check in ({"tools": {"not_called": TOOL}}, {"tools": {"at_most": 0}}, {"errors": "none"}):
        with pytest.raises(CheckError, match="cannot be decided: the messages of a thread do not hold the calls"):
            run_checks([Check.model_validate(check)], trace)


ASKED, ANSWERED = CHAT[1], CHAT[-1]
CALLED = {"role": "assistant", "content": "<tool_call>{...}</tool_call>"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"messages": [ASKED, ANSWERED], "tool_calls": [{"name": TOOL}]}, r"\(tool_calls\) is not read"),
        ({"messages": [ASKED, ANSWERED], "intermediate_steps": [[{"tool": TOOL}, "x"]]}, r"\(intermediate_steps\)"),
        ([ASKED, {**ANSWERED, "tools_used": [{"name": TOOL}]}], r"\(tools_used\)"),
        ({"messages": [ASKED, ANSWERED], "output": [CHAT[2]]}, r"\(output\) is not read"),
        (
            [{"id": "1", "trace_id": "t", "op_name": "x:*", "started_at": 1, "inputs": {"a": 1}, "output": "Yes."}],
            "none of its spans is said to be that of a model or of a tool",
        ),
        ([ASKED, CALLED, ANSWERED], "write calls of tools in words"),
        ([ASKED, {"role": "assistant", "content": f"Action: {TOOL}\nAction Input: {{}}"}, ANSWERED], "in words"),
        ([ASKED, {"role": "user", "content": "Observation: closed"}, ANSWERED], "in words"),
        ([ASKED, {"role": "assistant", "content": '[{"type": "tool_use", "name": "x"}]'}, ANSWERED], "in words"),
        ([ASKED, {"role": "assistant", "content": {"tool": TOOL, "args": {}}}, ANSWERED], "in words"),
        (
            [ASKED, {"role": "assistant", "content": '```json\n{"action": "x", "action_input": 1}```'}, ANSWERED],
            "in words",
        ),
        ([ASKED, {"role": "assistant", "content": '<invoke name="x"></invoke>'}, ANSWERED], "in words"),
        ([ASKED, {**ANSWERED, "actions": [{"tool": TOOL}]}], r"\(actions\)"),
        ({"messages": [ASKED, ANSWERED], "events": [{"type": "tool_call"}]}, r"\(events\)"),
        ({"object": "list", "data": [{"model": "m", "choices": [{"message": ANSWERED}]}]}, "without what it was asked"),
        ([*CHAT, {"role": "tool", "tool_call_id": "another", "content": "closed"}, ANSWERED], "without their calls"),
    ],
)
def test_calls_that_may_be_there_decide_nothing(tmp_path: Path, content: object, reason: str) -> None:
    trace = load(tmp_path, content)
    assert trace.notes or trace.format == "weave"
    for check in ({"not_called": "refund"}, {"called": "refund"}):
        with pytest.raises(CheckError, match=f"tools cannot be decided: .*{reason}"):
            run_checks([Check.model_validate({"tools": check})], trace)


def test_tools_that_are_called_in_code_are_not_seen(tmp_path: Path) -> None:
    steps = opening_hours.smolagents(fails=False)
    interpreter = {"id": "c", "type": "function", "function": {"name": "python_interpreter", "arguments": "f()"}}
    steps[2:] = [
        {"step_number": 1, "tool_calls": [interpreter], "code_action": "f()", "observations": "1"},
        {
            "step_number": 2,
            "model_output": "final_answer('Yes.')",
            "tool_calls": [{**interpreter, "id": "d"}],
            "code_action": "final_answer('Yes.')",
            "observations": "Last output from code snippet: Yes.",
            "action_output": "Yes.",
            "is_final_answer": True,
        },
    ]
    trace = load(tmp_path, steps)
    assert answer.of(trace).text == "Yes."
    with pytest.raises(CheckError, match="calls tools in code"):
        run_checks([Check.model_validate({"tools": {"not_called": TOOL}})], trace)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (["ChatCompletionMessageToolCall(id='c1', ...)"], "'tool_calls' (1)"),
        ("opening_hours()", "'tool_calls' (1)"),
    ],
)
def test_calls_that_are_texts_are_refused(tmp_path: Path, calls: object, said: str) -> None:
    assert said in refusal(tmp_path, [ASKED, {"role": "assistant", "content": None, "tool_calls": calls}, ANSWERED])


def test_an_id_that_comes_again_is_that_of_another_call(tmp_path: Path) -> None:
    trace = load(tmp_path, [*CHAT[:4], *CHAT[2:4], ANSWERED])
    assert ([call.name for call in tool_calls.of(trace)], trace.notes) == ([TOOL, TOOL], ())
    assert not any(verdict.passed for verdict in run_checks([Check.model_validate({"tools": {"at_most": 1}})], trace))


def test_the_results_of_several_calls_are_told_apart(tmp_path: Path) -> None:
    calls = [{**CHAT[2]["tool_calls"][0], "id": key} for key in ("a", "b")]
    results = [{"role": "tool", "tool_call_id": key, "content": f"closed {key}"} for key in ("a", "b")]
    joined = {"role": "tool", "content": "closed a\n\nclosed b", "tool_responses": results}
    trace = load(tmp_path, [ASKED, {**CHAT[2], "tool_calls": calls}, joined, ANSWERED])
    assert trace.notes == ()
    steps = conversation.read(trace).steps
    assert [step.text for step in steps if step.role == "tool"] == ["closed a", "closed b"]


def test_the_error_of_a_result_without_a_text_is_its_text(tmp_path: Path) -> None:
    failed = {**CHAT[3], "content": "", "error": {"type": "timeout", "message": "took too long"}}
    trace = load(tmp_path, [*CHAT[:3], failed, ANSWERED])
    (verdict,) = run_checks([Check.model_validate({"errors": "none"})], trace)
    assert (verdict.passed, "took too long" in verdict.actual) == (False, True)


def test_a_call_of_a_model_is_known_by_its_request(tmp_path: Path) -> None:
    inputs = {"model": "m", "messages": CHAT[:4]}
    call = {"id": "w", "trace_id": "t", "op_name": "weave:///a/b/op/create:x", "started_at": opening_hours.TIMES[0]}
    trace = load(tmp_path, [{**call, "inputs": inputs, "output": {"choices": [{"message": ANSWERED}]}}])
    assert ([run.kind for run in trace.runs], len(tool_calls.of(trace))) == (["llm"], 1)


def test_a_call_in_words_is_refused(tmp_path: Path) -> None:
    called = {"role": "tool-call", "content": "Calling tools: [{'id': 'call_1'}]"}
    assert "'a call of a tool in words' (1)" in refusal(tmp_path, [ASKED, called, ANSWERED])


def test_messages_that_were_written_as_texts_are_called_that(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"messages": ["content='Are you open?' additional_kwargs={}"]})
    assert said.startswith(": the messages in it are texts, as json.dumps(..., default=str) writes")


def test_fields_that_may_say_a_failure_are_named(tmp_path: Path) -> None:
    trace = load(tmp_path, [*CHAT[:3], {**CHAT[3], "successful": False}, ANSWERED])
    assert "Fields that may say that something failed, not read: successful." in trace.notes
    spans = [{**span, "failure": "x"} for span in opening_hours.otlp(fails=False)]
    assert any("not read: failure." in note for note in load(tmp_path, spans).notes)


def test_fields_that_are_named_like_calls_are_named(tmp_path: Path) -> None:
    session = opening_hours.gemini_cli(fails=False)
    for entry in session:
        if "toolCalls" in entry:
            entry |= {"toolCalls_2": entry.pop("toolCalls"), "content": "One moment."}
    trace = load(tmp_path, {**opening_hours.GEMINI_HEAD, "messages": session})
    assert "Fields of messages that are not read: toolCalls_2." in trace.notes


def test_a_call_without_its_result_is_counted(tmp_path: Path) -> None:
    assert "Calls of tools whose results are not in the file: 1." in load(tmp_path, [*CHAT[:3], ANSWERED]).notes


def test_an_error_that_a_model_was_handed_is_one(tmp_path: Path) -> None:
    failed = {"type": "tool_result", "tool_use_id": "c", "content": "down", "is_error": True}
    called = {"type": "tool_use", "id": "c", "name": TOOL, "input": {}}
    request = {
        "model": "m",
        "messages": [ASKED, {"role": "assistant", "content": [called]}, {"role": "user", "content": [failed]}],
    }
    log = [{"request": request, "response": {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]}}]
    trace = load(tmp_path, log)
    assert [call.name for call in tool_calls.of(trace)] == [TOOL]
    (verdict,) = run_checks([Check.model_validate({"errors": "none"})], trace)
    assert not verdict.passed


def test_images_are_counted_as_not_seen(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    asked = {"role": "user", "content": [{"type": "text", "text": "What is on it?"}, picture]}
    trace = load(tmp_path, [asked, CHAT[-1]])
    assert trace.notes == ("Not seen, since they are no text: 1 image_url.",)


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all fields of all objects in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            yield (*path, key)
        yield from _places(item, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401  (any JSON value)
    for key in path:
        value = value[key]
    return value


def _changed(value: Any, path: tuple[Any, ...], how: str) -> Any:  # noqa: ANN401  (any JSON value)
    changed = copy.deepcopy(value)
    home = changed
    for key in path[:-1]:
        home = home[key]
    if how == "drop":
        del home[path[-1]]
    elif how == "rename":
        home[f"{path[-1]}_2"] = home.pop(path[-1])
    else:
        home[path[-1]] = {"retype": 5, "null": None, "text": "?"}[how]
    return changed


@pytest.mark.parametrize("sample", SAMPLES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), how=st.sampled_from(["drop", "rename", "retype", "null", "text"]), fails=st.booleans()
)
def test_a_changed_field_never_changes_calls_or_failures_without_a_word(
    tmp_path: Path, sample: str, seed: int, how: str, *, fails: bool
) -> None:
    right, make = SAMPLES[sample]
    content = make(fails)
    values = [json.loads(line) for line in content.splitlines()] if isinstance(content, bytes) else [content]
    places = [*_places(values)]
    path = places[seed % len(places)]
    # One text instead of another says something else, and is no less right.
    how = "drop" if how == "text" and isinstance(_at(values, path), str) else how
    changed = [json.dumps(value) for value in _changed(values, path, how)]
    (tmp_path / "t.json").write_text("\n".join(changed), encoding="utf-8")
    whole = _trace_of(tmp_path / "w.json", values)
    try:
        trace = JsonFiles().load("t.json", base=tmp_path)
    except TraceError:
        return
    said = set(trace.notes) - set(whole.notes)
    if said or trace.calls_unknown:
        return
    assert len(tool_calls.of(trace)) == 1, (path, how)
    # Without the mark of a failure, the file is that of a success; a mark under another name is one.
    if fails and right.is_error_known and (how == "rename" or (how == "drop" and path[-1] not in MARKS)):
        assert not passes(trace, errors="none"), (path, how)


def _trace_of(path: Path, values: list[Any]) -> Trace:
    path.write_text("\n".join(map(json.dumps, values)), encoding="utf-8")
    return JsonFiles().load(path.name, base=path.parent)
