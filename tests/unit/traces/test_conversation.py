from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import conversation
from pytest_refinery.traces.model import Run, Trace
from tests.data_paths import require

SYSTEM = {"role": "system", "content": "Be brief."}
ASKS = {"role": "user", "content": "How is the weather?"}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "c1", "function": {"name": "get_weather", "arguments": '{"in": "Bern"}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "sunny"}
SAYS = {"role": "assistant", "content": "It is sunny."}
THANKS = {"role": "user", "content": "Thanks."}


def run(run_id: str, kind: str, parent: str | None = "root", **fields: Any) -> Run:  # noqa: ANN401  (the fields of a run)
    return Run(**{"id": run_id, "name": run_id, "kind": kind, "parent_id": parent, **fields})


def model(run_id: str, told: list[object], said: object, parent: str = "root") -> Run:
    return run(run_id, "llm", parent, inputs={"messages": told}, outputs={"messages": [said]})


def read(*runs: Run, form: str = "langsmith") -> conversation.Conversation:
    return conversation.read(Trace(id="t", name="t", runs=runs, format=form))


def told(found: conversation.Conversation) -> list[tuple[str, str, str]]:
    return [(step.run_id, step.role, step.text) for step in found.steps]


NESTED = (
    run("root", "chain", None, inputs={"messages": [ASKS]}, outputs={"messages": [ASKS, CALL, RESULT, SAYS]}),
    model("first", [SYSTEM, ASKS], CALL),
    run("get_weather", "tool", inputs={"in": "Bern"}, outputs={"output": "sunny"}),
    model("second", [SYSTEM, ASKS, CALL, RESULT], SAYS),
)


def test_each_message_of_a_nested_trace_is_one_step_of_the_run_that_made_it() -> None:
    assert told(read(*NESTED)) == [
        ("root", "user", "How is the weather?"),
        ("first", "assistant", ""),
        ("get_weather", "tool", "sunny"),
        ("second", "assistant", "It is sunny."),
    ]


def test_the_system_prompt_stands_outside_of_the_steps() -> None:
    assert read(*NESTED).system == ("Be brief.",)


def test_a_result_holds_the_call_that_it_answers() -> None:
    asked, result = read(*NESTED).steps[1:3]
    assert result.answers is asked.calls[0]
    assert asked.calls[0].arguments == {"in": "Bern"}


def test_a_result_without_a_call_holds_what_the_tool_was_given() -> None:
    (result,) = read(run("get_weather", "tool", None, inputs={"input": "{'in': 'Bern'}"}, outputs="sunny")).steps
    assert result.answers is not None
    assert (result.answers.name, result.answers.arguments) == ("get_weather", "{'in': 'Bern'}")


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ({"input": '{"in": "Bern"}'}, {"in": "Bern"}),
        ("[1]", "[1]"),
        (None, {}),
        (7, "7"),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}),
    ],
)
def test_what_a_tool_was_given_is_read_in_every_form(inputs: object, arguments: object) -> None:
    (result,) = read(run("tool", "tool", None, inputs=inputs, outputs="sunny")).steps
    assert result.answers is not None
    assert result.answers.arguments == arguments


def test_a_question_that_only_the_root_carries_as_text_belongs_to_the_root() -> None:
    found = read(run("root", "chain", None, inputs="How is the weather?"), model("m", [ASKS], SAYS))
    assert told(found)[0] == ("root", "user", "How is the weather?")


def test_the_same_words_said_again_are_another_step() -> None:
    yes = {"role": "user", "content": "Yes."}
    again = {"role": "assistant", "content": "Sure?"}
    found = read(model("a", [yes], again, "r1"), model("b", [yes, again, yes], SAYS, "r2"))
    assert [step.text for step in found.steps] == ["Yes.", "Sure?", "Yes.", "It is sunny."]


def test_the_words_of_a_simulated_user_belong_to_the_run_that_made_them() -> None:
    found = read(
        run("root", "chain", None),
        run("customer", "chain", inputs={"messages": []}, outputs={"messages": [ASKS]}),
        run("route", "chain", "customer", inputs={"messages": [ASKS]}, outputs={"output": "agent"}),
        model("agent", [SYSTEM, ASKS], SAYS),
        run("customer2", "chain", inputs={"messages": [ASKS, SAYS]}, outputs={"messages": [THANKS]}),
    )
    assert [run_id for run_id, _, _ in told(found)] == ["customer", "agent", "customer2"]


def test_a_tools_result_that_no_run_shows_is_told_by_the_model_that_read_it() -> None:
    found = read(model("a", [ASKS], CALL, "r"), model("b", [ASKS, CALL, RESULT], SAYS, "r"))
    assert [(step.run_id, step.role) for step in found.steps] == [
        ("a", "user"),
        ("a", "assistant"),
        ("b", "tool"),
        ("b", "assistant"),
    ]


def test_a_result_that_the_model_is_told_in_other_words_is_still_one_step() -> None:
    reworded = {**RESULT, "content": '{"weather": "sunny", "wind": null}'}
    found = read(*NESTED[:3], model("second", [SYSTEM, ASKS, CALL, reworded], SAYS))
    assert [step.role for step in found.steps] == ["user", "assistant", "tool", "assistant"]


def test_a_completion_model_was_told_its_prompts() -> None:
    found = read(
        run("llm", "llm", None, inputs={"prompts": ["Say hello."]}, outputs={"generations": [[{"text": "Hello."}]]})
    )
    assert told(found)[0] == ("llm", "user", "Say hello.")


def test_a_trace_without_messages_is_read_by_its_leaves() -> None:
    found = read(run("root", "chain", None, outputs={"output": "b"}), run("leaf", "chain", outputs={"output": "b"}))
    assert told(found) == [("leaf", "assistant", "b")]


def test_the_error_of_a_run_that_said_nothing_else_is_its_last_word() -> None:
    agent = Run(id="root", name="agent", kind="chain", error="LookupError: order 7 is lost")
    found = read(agent, run("tool", "tool", inputs={"number": 7}, outputs="Order 7: lost"))
    assert [(step.run_id, step.text, step.is_error) for step in found.steps] == [
        ("tool", "Order 7: lost", False),
        ("root", "LookupError: order 7 is lost", True),
    ]


def test_an_error_that_a_child_explains_is_said_once() -> None:
    agent = Run(id="root", name="agent", kind="chain", error="LookupError: lost")
    found = read(agent, run("tool", "tool", inputs={"number": 7}, error="LookupError: lost"))
    assert [step.run_id for step in found.steps] == ["tool"]


def transcript(*messages: dict[str, str]) -> conversation.Conversation:
    runs = [run(str(place), "message", None, outputs=message) for place, message in enumerate(messages)]
    return read(
        *(
            one.model_copy(update={"name": message.get("name", message["role"])})
            for one, message in zip(runs, messages, strict=True)
        ),
        form="transcript",
    )


def test_each_message_of_a_transcript_is_one_step() -> None:
    found = transcript(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hello."},
    )
    assert told(found) == [("0", "system", "Be brief."), ("1", "user", "Hi."), ("2", "assistant", "Hello.")]


def test_named_speakers_of_a_group_chat_are_agents_whatever_their_role() -> None:
    found = transcript(
        {"role": "assistant", "name": "Planner", "content": "Count."},
        {"role": "user", "name": "Coder", "content": "Done."},
        {"role": "user", "name": "Computer_terminal", "content": "exitcode: 0 (execution succeeded)"},
    )
    assert [(step.speaker, step.role) for step in found.steps] == [
        ("Planner", "assistant"),
        ("Coder", "assistant"),
        ("Computer_terminal", "tool"),
    ]


def test_whom_a_speaker_addresses_is_a_note() -> None:
    found = transcript({"role": "human", "content": "Find it."}, {"role": "Leader (-> Searcher)", "content": "Search."})
    assert [(step.role, step.speaker, step.note) for step in found.steps] == [
        ("user", "user", ""),
        ("assistant", "Leader", "-> Searcher"),
    ]


def test_steps_are_numbered_and_know_their_neighbours() -> None:
    found = read(*NESTED)
    assert [step.number for step in found.steps] == [1, 2, 3, 4]
    assert found.following(found.steps[2]) is found.steps[3]
    assert found.following(found.steps[3]) is None


@pytest.fixture(scope="module")
def labels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(require("langsmith_tau", "labels.json").read_text(encoding="utf-8"))
    return found


def test_the_messages_of_real_traces_belong_to_the_runs_that_people_named(labels: list[dict[str, Any]]) -> None:
    for label in labels:
        trace = JsonFiles().load(f"{label['file']}.gz", base=require("langsmith_tau", "nested"))
        named = label["message_to_run_id"][1:]
        assert [step.run_id for step in conversation.read(trace).steps] == named, label["file"]


def test_turn_by_turn_recordings_read_like_the_nested_ones(labels: list[dict[str, Any]]) -> None:
    for label in labels:
        nested, turns = (
            [
                (step.role, step.text)
                for step in conversation.read(
                    JsonFiles().load(f"{label['file']}.gz", base=require("langsmith_tau", kind))
                ).steps
            ]
            for kind in ("nested", "turns")
        )
        # No model has answered the user's last words, so the turns do not hold them.
        assert turns in (nested, nested[:-1]), label["file"]
