from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.pictures import LARGEST_PICTURE, LONGEST_TEXTS, Picture, draw
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import conversation as conversations
from pytest_refinery.traces.model import Run, Trace
from tests.data_paths import require

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = {"role": "system", "content": "You help."}
HELLO = {"role": "user", "content": "Hello"}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"name": "look_up", "args": {"id": 7}, "id": "c1"}]}
FOUND = {"role": "tool", "content": "Seven.", "tool_call_id": "c1", "name": "look_up"}
ANSWER = {"role": "assistant", "content": "It is seven."}


def run(
    run_id: str, kind: str = "llm", *, parent: str | None = None, begin: float | None = None, **more: object
) -> Run:
    times = {} if begin is None else {"started_at": at(begin), "ended_at": at(begin + 1.5)}
    return Run.model_validate(
        {"id": run_id, "name": f"the {run_id}", "kind": kind, "parent_id": parent, **times, **more}
    )


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def trace(*runs: Run) -> Trace:
    return Trace(id="t1", name="support", runs=runs, source="traces/t1.json")


def conversation() -> Trace:
    return trace(
        run("root", "chain", begin=0.0, inputs={"messages": [HELLO]}, outputs={"messages": [HELLO, ANSWER], "cost": 3}),
        run("ask", parent="root", begin=0.25, inputs={"messages": [SYSTEM, HELLO]}, outputs={"messages": [CALL]}),
        run("look_up", "tool", parent="root", begin=2.0, inputs={"id": 7}, outputs=FOUND),
        run(
            "answer",
            parent="root",
            begin=4.0,
            inputs={"messages": [SYSTEM, HELLO, CALL, FOUND]},
            outputs={"messages": [ANSWER]},
            usage={"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
        ),
    )


def said(picture: Picture, places: tuple[int, ...]) -> list[str]:
    return [picture.messages[place].text or picture.messages[place].calls[0] for place in places]


def test_each_run_is_a_row_with_its_place_in_tree_and_time() -> None:
    rows = draw(conversation()).runs
    assert [(row.number, row.id, row.parent, row.start, row.end) for row in rows] == [
        (1, "root", None, 0.0, 1.5),
        (2, "ask", 1, 0.25, 1.75),
        (3, "look_up", 1, 2.0, 3.5),
        (4, "answer", 1, 4.0, 5.5),
    ]
    assert (rows[3].kind, rows[3].name, rows[3].input_tokens, rows[3].output_tokens) == ("llm", "the answer", 12, 5)


def test_each_distinct_message_is_there_once_and_runs_refer_to_it() -> None:
    picture = draw(conversation())
    assert len(picture.messages) == 5
    assert said(picture, picture.runs[3].reads) == ["You help.", "Hello", 'look_up({"id": 7})', "Seven."]
    assert said(picture, picture.runs[3].writes) == ["It is seven."]
    assert said(picture, picture.runs[0].writes) == ["Hello", "It is seven."]


def test_what_is_no_message_is_a_value_and_each_value_is_there_once() -> None:
    runs = (run("a", "tool", inputs={"id": 7}, outputs="Seven."), run("b", "tool", inputs={"id": 7}, outputs={}))
    picture = draw(trace(*runs))
    assert picture.values == ('{"id": 7}', "Seven.")
    assert [(row.inputs, row.outputs) for row in picture.runs] == [(0, 1), (0, None)]


def test_the_conversation_is_told_in_steps_that_name_their_run() -> None:
    picture = draw(conversation())
    assert [(step.run, said(picture, (step.message,))[0]) for step in picture.steps] == [
        (1, "Hello"),
        (2, 'look_up({"id": 7})'),
        (3, "Seven."),
        (4, "It is seven."),
    ]
    assert picture.steps[2].speaker == "the look_up"


def test_a_trace_without_times_has_rows_without_times() -> None:
    assert {(row.start, row.end) for row in draw(trace(run("a"), run("b"))).runs} == {(None, None)}


def test_a_run_without_times_among_others_has_none() -> None:
    first, second = draw(trace(run("a", begin=3.0), run("b"))).runs
    assert (first.start, second.start, second.end) == (0.0, None, None)


def test_a_run_is_never_inside_of_itself_or_of_a_later_one() -> None:
    runs = (run("a", "chain", parent="a"), run("b", "chain", parent="c"), run("c", "chain", parent="b"))
    assert [row.parent for row in draw(trace(*runs)).runs] == [None, None, 2]


def test_two_named_speakers_who_say_the_same_stay_two() -> None:
    spoken = [{"role": "assistant", "content": "Yes.", "name": name} for name in ("Ann", "Bob")]
    nameless = {"role": "assistant", "content": "Yes."}
    picture = draw(trace(run("a", outputs={"messages": [nameless, *spoken, nameless]})))
    assert [message.name for message in picture.messages] == ["Ann", "Bob"]
    assert picture.runs[0].writes == (0, 0, 1, 0)


def test_a_long_text_is_cut_with_a_note_that_says_how_much_is_missing() -> None:
    text = "x" * 50_000
    picture = draw(trace(run("a", "chain", inputs=text)))
    assert picture.values[0] == "x" * 20_000 + "\n[... 30,000 characters left out ...]\n"
    assert picture.cut == "1 text was cut after 20,000 characters; quotes are kept."


def test_a_quote_in_what_is_cut_stays_with_what_stands_around_it() -> None:
    text = f"{'x ' * 20_000}I have   saved\nthis.{' y' * 20_000}"
    (kept,) = draw(trace(run("a", "chain", inputs=text)), quotes=["I have saved this.", "not in it"]).values
    assert "x x I have   saved\nthis. y y" in kept
    assert kept.count("characters left out") == 2
    assert len(kept) < 21_000


def test_messages_errors_and_calls_are_cut_too() -> None:
    long = "z" * 30_000
    call = {"name": long, "args": {}, "id": "1"}
    message = {"role": "assistant", "content": long, "tool_calls": [call], "reasoning_content": long}
    picture = draw(trace(run("a", "chain", inputs={"messages": [message]}, outputs="Done.", error=long)))
    drawn = picture.messages[0]
    assert max(map(len, (drawn.text, drawn.thinking, *drawn.calls, picture.runs[0].error))) < 20_100
    assert picture.cut.startswith("4 texts were cut")


def test_many_long_texts_are_cut_shorter_so_that_the_picture_stays_small() -> None:
    runs = [run(f"r{number}", "chain", inputs=f"{number} " + "w" * 19_000) for number in range(300)]
    picture = draw(trace(*runs))
    assert picture.cut.startswith(f"300 texts were cut after {LONGEST_TEXTS[1]:,} characters")
    assert len(picture.model_dump_json()) < LARGEST_PICTURE


def test_what_no_text_may_hold_is_replaced_by_a_symbol() -> None:
    drawn = draw(trace(run("a\x1b", outputs="\x1b[31m\ud800", error="\x07")))
    row = drawn.runs[0]
    assert (row.id, row.error, drawn.values[0]) == ("a␛", "␇", "␛[31m\ufffd")
    drawn.model_dump_json()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_any_json_is_drawn_and_comes_back_from_json(value: object) -> None:
    picture = draw(trace(run("a", inputs=value, outputs=value)))
    assert Picture.model_validate_json(picture.model_dump_json(exclude_defaults=True)) == picture


@pytest.mark.parametrize("number", range(11))
def test_a_real_trace_makes_a_small_picture_that_lacks_nothing(number: int) -> None:
    path = sorted(require("langsmith_tau", "nested").glob("*.json.gz"))[number]
    real = JsonFiles().load(path.name, base=path.parent)
    picture = draw(real)
    assert picture.cut == ""
    assert len(picture.runs) == len(real.runs)
    assert len(picture.model_dump_json(exclude_defaults=True)) < 100_000
    everything = json.dumps([message.text for message in picture.messages], ensure_ascii=False)
    for step in conversations.read(real).steps:
        assert json.dumps(step.text, ensure_ascii=False)[1:-1] in everything
