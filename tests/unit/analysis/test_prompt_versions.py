from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_refinery.analysis import prompt_versions
from pytest_refinery.analysis.ports import Case, PromptFile
from pytest_refinery.analysis.schemas import StalePrompt
from pytest_refinery.traces import prompts
from pytest_refinery.traces.model import Run, RunKind, Trace

RULES = [
    "You are the assistant of a broker.",
    "Answer questions about the customer's transactions.",
    "Never give advice on taxes.",
    "Quote amounts with their currency.",
    "Be brief and friendly.",
]
OLD = "\n".join(RULES)
ANOTHER = (
    "Summarise the conversation in three sentences for the next colleague, and name what the client wants to be told "
    "by whom and until when, in their own words."
)
SENTENCES = st.lists(
    st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=8), min_size=3, max_size=8).map(" ".join),
    min_size=4,
    max_size=12,
    unique=True,
)


def make_case(told: str, *files: tuple[str, str], user: str = "Hello!") -> Case:
    inputs = {"messages": [{"role": "system", "content": told}, {"role": "user", "content": user}]}
    trace = Trace(id="t", name="t", runs=(Run(id="r1", name="model", kind=RunKind.LLM, inputs=inputs),))
    return Case(
        trace=trace,
        expect="x",
        prompts=prompts.extract(trace),
        prompt_files=tuple(PromptFile(path, text) for path, text in files),
    )


def found(told: str, *files: tuple[str, str], user: str = "Hello!") -> tuple[StalePrompt, ...]:
    return prompt_versions.stale(make_case(told, *files, user=user))


def test_a_changed_line_is_named_as_it_was_and_as_it_is() -> None:
    now = OLD.replace("Be brief and friendly.", "Say that you cannot remember anything.")
    assert found(OLD, ("prompts/system.md", now)) == (
        StalePrompt(
            file="prompts/system.md",
            run_id="r1",
            run_number=1,
            only_in_trace=("Be brief and friendly.",),
            only_in_file=("Say that you cannot remember anything.",),
        ),
    )


def test_a_rule_that_was_added_to_the_file_is_named() -> None:
    (one,) = found(OLD, ("system.md", f"{OLD}\nYou have no memory."))
    assert (one.only_in_trace, one.only_in_file) == ((), ("You have no memory.",))


def test_a_rule_that_was_taken_out_of_the_file_is_named() -> None:
    (one,) = found(OLD, ("system.md", OLD.replace("Never give advice on taxes.\n", "")))
    assert (one.only_in_trace, one.only_in_file) == (("Never give advice on taxes.",), ())


@pytest.mark.parametrize(
    "text",
    [
        OLD,
        OLD.replace("\n", " "),
        f"---\nmodel: small\n---\n{OLD}\n",
        OLD.replace("a broker", "{company}"),
        OLD.replace("a broker", "{{ company }}") + "\n{% if vip %}Say their name in every sentence.{% endif %}",
        "Something else entirely, with words of its own that nobody was told.",
        "Be brief and friendly.",
        f"# System\n{OLD}\n\n# Summary\n{ANOTHER}",
    ],
    ids=["same", "wrapped", "front-matter", "format", "jinja", "unrelated", "contained", "holds-more"],
)
def test_what_the_agent_was_told_is_not_stale(text: str) -> None:
    assert found(OLD, ("system.md", text)) == ()


def test_a_prompt_with_something_added_by_the_program_is_not_stale() -> None:
    assert found(f"{OLD}\n\nWhat you know of the client:\n- a vegetarian", ("system.md", OLD)) == ()


def test_the_value_of_a_variable_is_no_difference() -> None:
    file = OLD.replace("Never give advice on taxes.", "Today is {today}.\nWhat you know:\n{known}\nThat is all.")
    told = OLD.replace(
        "Never give advice on taxes.", "Today is Monday.\nWhat you know:\n- one\n- two\nThat is all.\nCall them Sir."
    )
    (one,) = found(told, ("system.md", file.replace("Be brief", "Be kind")))
    assert one.only_in_trace == ("Call them Sir.", "Be brief and friendly.")
    assert one.only_in_file == ("Be kind and friendly.",)


def test_of_two_files_alike_the_one_that_was_not_used_is_not_stale() -> None:
    assert found(OLD, ("buyers.md", OLD), ("sellers.md", OLD.replace("friendly", "formal"))) == ()


def test_one_of_several_parts_of_a_prompt_can_be_stale() -> None:
    tone = "Speak like a colleague, not like a form.\nUse short sentences and common words."
    (one,) = found(f"{OLD}\n{tone}", ("rules.md", OLD), ("tone.md", tone.replace("short", "very short")))
    assert one.file == "tone.md"
    assert one.only_in_file == ("Use very short sentences and common words.",)


@pytest.mark.parametrize("name", ["prompts.py", "prompt.yaml", "prompt.json"])
def test_of_a_prompt_within_code_or_data_nothing_is_said(name: str) -> None:
    assert found(OLD, (name, OLD.replace("friendly", "formal"))) == ()


@given(SENTENCES, st.data())
def test_a_file_is_stale_exactly_if_a_sentence_was_replaced(sentences: list[str], data: st.DataObject) -> None:
    text = "\n".join(f"{sentence}." for sentence in sentences)
    place = data.draw(st.integers(0, len(sentences) - 1))
    changed = "\n".join(f"{sentence if n != place else 'A B C'}." for n, sentence in enumerate(sentences))
    assert found(text, ("system.md", text)) == ()
    before = sum(len(sentence.split()) for sentence in sentences)
    assume(len(sentences[place].split()) < 0.25 * before)
    (one,) = found(text, ("system.md", changed))
    assert one.only_in_file == ("A B C.",)


@given(st.text(), st.text(), st.text())
def test_any_texts_can_be_compared(told: str, one: str, other: str) -> None:
    for each in found(told, ("one.md", one), ("other.txt", other), user=one):
        assert each.only_in_file or each.only_in_trace


def test_what_is_in_no_file_is_unwritten() -> None:
    case = make_case(OLD, ("system.md", OLD))
    assert prompt_versions.unwritten(case) == ()
    assert [each.text for each in prompt_versions.unwritten(make_case(ANOTHER, ("system.md", OLD)))] == [ANOTHER]


def test_prompts_and_the_files_that_match_them_are_counted() -> None:
    counted = prompt_versions.counted(make_case(OLD, ("prompts/system.md", OLD), ("prompts/other.md", ANOTHER)))
    assert (counted.found, counted.files, counted.matching, counted.evals) == (1, 2, 1, 0)
