"""What an agent is called with again."""

from __future__ import annotations

from pytest_refinery.traces import inputs
from pytest_refinery.traces.model import Run, Trace


def transcript(*messages: tuple[str, str]) -> Trace:
    runs = tuple(
        Run(id=str(index), name=role, kind="message", outputs={"role": role, "content": text})
        for index, (role, text) in enumerate(messages)
    )
    return Trace(id="t", name="t", runs=runs, format="transcript")


def test_they_are_those_of_the_last_root() -> None:
    runs = tuple(Run(id=name, name=name, kind="chain", inputs={"question": name}) for name in ("first", "second"))
    assert inputs.of(Trace(id="t", name="t", runs=runs)) == {"question": "second"}


def test_of_a_transcript_they_are_what_was_said_before_the_last_answer() -> None:
    trace = transcript(("user", "Hi"), ("assistant", "Hello"), ("user", "Where?"), ("assistant", "There."))
    assert inputs.of(trace) == {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Where?"},
        ]
    }


def test_a_transcript_that_begins_with_its_answer_has_none() -> None:
    assert inputs.of(transcript(("assistant", "Hello"))) is None


def test_a_question_without_an_answer_is_an_input_too() -> None:
    assert inputs.of(transcript(("user", "Where?"))) == {"messages": [{"role": "user", "content": "Where?"}]}
