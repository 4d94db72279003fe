from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.traces import conversation, prompts
from pytest_refinery.traces.model import Run, Trace
from pytest_refinery.traces.prompts import Prompt

TEMPLATE = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "prompts", "chat", "ChatPromptTemplate"],
    "kwargs": {
        "input_variables": ["client", "question"],
        "messages": [
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "prompts", "chat", "SystemMessagePromptTemplate"],
                "kwargs": {
                    "prompt": {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
                        "kwargs": {"template": "You advise {client}.", "input_variables": ["client"]},
                    }
                },
            }
        ],
    },
}


def run(run_id: str, **fields: Any) -> Run:  # noqa: ANN401  (the fields of a run)
    return Run(**{"id": run_id, "name": run_id, "kind": "llm", **fields})


def extracted(*runs: Run) -> list[Prompt]:
    return list(prompts.extract(Trace(id="t", name="t", runs=runs)))


def chat(*texts: str) -> dict[str, object]:
    roles = ["system", "user", "assistant", "user"]
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


def test_each_distinct_text_is_one_prompt_with_the_runs_it_was_given_to() -> None:
    found = extracted(
        run("a", inputs=chat("Be brief.", "Cash?")),
        run("b", inputs=chat("Be brief.", "Cash?", "12 USD", "And in euro?")),
    )
    assert found == [
        Prompt(kind="system", text="Be brief.", run_ids=("a", "b")),
        Prompt(kind="user", text="Cash?", run_ids=("a", "b")),
        Prompt(kind="user", text="And in euro?", run_ids=("b",)),
    ]


def test_chains_and_tools_are_told_nothing() -> None:
    assert extracted(run("a", kind="chain", inputs=chat("Be brief.")), run("b", kind="tool", inputs=chat("x"))) == []


def test_what_a_model_answers_is_no_prompt() -> None:
    assert extracted(run("a", inputs=None, outputs=chat("Be brief.", "Cash?"))) == []


def test_the_messages_that_a_prompt_run_makes_are_prompts() -> None:
    found = extracted(
        run("p", kind="prompt", inputs={"client": "Ms Hart"}, outputs={"output": chat("Advise Ms Hart.")})
    )
    assert found == [Prompt(kind="system", text="Advise Ms Hart.", run_ids=("p",))]


@pytest.mark.parametrize("place", ["template", "inputs"])
def test_templates_are_found_at_any_depth_with_their_variables(place: str) -> None:
    value = TEMPLATE if place == "template" else {"steps": [{"prompt": TEMPLATE}]}
    found = extracted(run("a", kind="prompt", **{place: value}))
    assert found == [Prompt(kind="template", text="You advise {client}.", run_ids=("a",), variables=("client",))]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"prompts": ["One", "Two"]}, [("user", "One"), ("user", "Two")]),
        ({"prompts": "One"}, [("user", "One")]),
        ({"prompt": "One"}, [("user", "One")]),
        ({"prompts": 5, "input": None}, []),
        ({"instructions": "Be brief.", "input": "Cash?"}, [("system", "Be brief."), ("user", "Cash?")]),
        ({"system": [{"type": "text", "text": "Be brief."}], "messages": []}, [("system", "Be brief.")]),
        ({"input": [{"role": "user", "content": "Cash?"}]}, [("user", "Cash?")]),
        ({"question": "Cash?"}, []),
    ],
)
def test_texts_outside_of_messages_are_prompts_too(inputs: object, told: list[tuple[str, str]]) -> None:
    assert [(prompt.kind, prompt.text) for prompt in extracted(run("a", inputs=inputs))] == told


def test_a_conversation_that_is_one_text_is_its_messages() -> None:
    told = run("1", inputs={"prompts": ["System: Be brief.\nHuman: Hi.\nHow are you?\nAI: Fine.\nHuman: Good."]})
    found = [(prompt.kind, prompt.text) for prompt in extracted(told)]
    assert found == [("system", "Be brief."), ("user", "Hi.\nHow are you?"), ("user", "Good.")]
    steps = conversation.read(Trace(id="t", name="t", runs=(told,))).steps
    assert [(step.role, step.text) for step in steps][:2] == [("user", "Hi.\nHow are you?"), ("assistant", "Fine.")]


def test_settings_are_the_models_and_not_its_tools() -> None:
    found = extracted(
        run("a", settings={"model": "m-1", "temperature": 0, "tools": [{"name": "x"}]}),
        run("b", inputs={"model": "m-1", "temperature": 0, "messages": [], "question": "Cash?", "seed": None}),
        run("c", settings={"tools": []}),
    )
    assert found == [Prompt(kind="settings", text='{"model": "m-1", "temperature": 0}', run_ids=("a", "b"))]


def test_in_a_transcript_named_speakers_are_no_prompts() -> None:
    def said(number: int, **message: object) -> Run:
        return run(str(number), kind="message", outputs=message)

    found = extracted(
        said(0, role="system", content="Be brief."),
        said(1, role="user", content="Cash?"),
        said(2, role="user", name="Verifier", content="12 USD is right."),
        said(3, role="assistant", content="12 USD"),
    )
    assert [(prompt.kind, prompt.text) for prompt in found] == [("system", "Be brief."), ("user", "Cash?")]


@pytest.mark.parametrize("inputs", [None, "text", 5, [], {"messages": None}, {"messages": [[]]}])
def test_runs_without_prompts_have_none(inputs: object) -> None:
    assert extracted(run("a", inputs=inputs)) == []
