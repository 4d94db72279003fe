"""No fix carries what belongs to one case alone, whoever suggests it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis import fixes
from pytest_refinery.analysis.ports import Case, PromptFile
from pytest_refinery.analysis.schemas import SuggestedFix
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.traces import prompts
from pytest_refinery.traces.model import Run, Trace

SYSTEM = "You help the clients of Alpine Bank. Orders above 5,000 need a signature. Be brief."
ASKED = "Please cancel my order #W4817 today, my name is Yusuf Rossi."
FILES = (PromptFile("prompts/system.md", SYSTEM), PromptFile("prompts/other.md", "You write letters, short ones."))


def make_case(expect: str = "The agent asks for a reason before it cancels anything.", **fields: object) -> Case:
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]
    calls = [{"id": "c", "name": "cancel", "args": {"order": "#W4817"}}]
    runs = (
        Run(id="root", name="agent", kind="chain", inputs={"messages": asked}),
        Run(
            id="llm",
            name="chat",
            kind="llm",
            parent_id="root",
            inputs={"messages": asked},
            outputs={"role": "assistant", "content": "", "tool_calls": calls},
        ),
        Run(
            id="tool",
            name="cancel",
            kind="tool",
            parent_id="root",
            inputs={"order": "#W4817"},
            outputs={"status": "cancelled", "client_name": "Rossi", "total": 1842.6, "contact": "Mei Patel"},
        ),
    )
    trace = Trace(id="t", name="t", runs=runs)
    return replace(
        Case(trace=trace, expect=expect, prompts=prompts.extract(trace), prompt_files=FILES),
        **fields,  # type: ignore[arg-type]
    )


def suggestion(after: str, *, before: str = "") -> SuggestedFix:
    return SuggestedFix(component="system prompt", before=before, after=after)


DEMANDED = (
    CheckFailure(check="output.contains", argument="45.00 USD"),
    CheckFailure(check="output.not_contains", argument="from now on", text="From now on"),
    CheckFailure(check="tools.arguments", tool="cancel", argument={"reason": "no longer needed"}),
    CheckFailure(check="tools.called", tool="cancel", argument="cancel"),
)


@pytest.mark.parametrize(
    "after",
    [
        "The fee is 45.00 USD.",
        "Never say From  now on.",
        "Give the reason 'no longer needed'.",
        "Do not cancel #W4817.",
        "Mr. Rossi is a client.",
        "Ask Mei Patel first.",
        "Yusuf Rossi is known.",
        "The total is 1842.6.",
        "When asked to cancel my order #W4817 today, ask.",
        "If they say: please cancel my order #w4817 today, my name is",
        "Required: the agent asks for a reason before it cancels anything.",
    ],
)
def test_what_belongs_to_the_case_is_in_no_fix(after: str) -> None:
    case = make_case(failures=DEMANDED)
    assert fixes.leaks(suggestion(after), case)
    assert fixes.shown(suggestion(after), case, run=None) is None


@pytest.mark.parametrize(
    "after",
    [
        "Ask for a reason before you cancel.",
        "Call cancel only after the client has confirmed.",
        "Say the name of the bank, Alpine Bank, in your answer.",
        "Orders above 5,000 need two signatures.",
        "Answer in at most 3 sentences.",
        "",
    ],
)
def test_a_rule_that_holds_for_every_case_is_shown(after: str) -> None:
    assert not fixes.leaks(suggestion(after), make_case(failures=DEMANDED))


def test_what_the_fix_leaves_as_it_is_counts_for_nothing() -> None:
    before = "Example: #W4817 is an order."
    assert not fixes.leaks(suggestion(f"{before}\nAsk first.", before=before), make_case())


@given(
    words=st.lists(st.text("abcdefgh", min_size=2, max_size=6), max_size=6),
    value=st.text("ABCXYZ", min_size=1, max_size=3),
    digits=st.integers(100, 10**9),
    place=st.integers(0, 6),
)
def test_an_id_of_the_trace_is_found_anywhere_in_a_fix(words: list[str], value: str, digits: int, place: int) -> None:
    known = f"{value}-{digits}"
    trace = Trace(id="t", name="t", runs=(Run(id="r", name="get", kind="tool", outputs={"id": known}),))
    said = [*words[:place], known, *words[place:]]
    assert fixes.leaks(suggestion(" ".join(said)), Case(trace=trace, expect="It works."))
    assert not fixes.leaks(suggestion(" ".join(words)), Case(trace=trace, expect="It works."))


@given(st.lists(st.text("abcdefghij", min_size=1, max_size=8), min_size=6, max_size=20), st.data())
def test_six_words_in_a_row_of_the_expectation_are_found(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 6))
    case = Case(trace=Trace(id="t", name="t", runs=(Run(id="r", name="r", kind="chain"),)), expect=" ".join(words))
    assert fixes.leaks(suggestion(f"Always {' '.join(words[start : start + 6])}!"), case)


def test_a_fix_without_a_file_goes_to_the_prompt_of_the_agent_that_acted() -> None:
    other = FILES[::-1]
    case = make_case(prompt_files=other)
    for run_id in ("llm", "tool", "root"):
        found = fixes.shown(suggestion("Ask for a reason."), case, run=case.trace.by_id[run_id])
        assert found is not None
        assert found.file == "prompts/system.md"
        assert not found.verified


def test_each_agent_has_its_own_prompt_file() -> None:
    files = (
        PromptFile("a.md", "You are the clerk who takes down orders."),
        PromptFile("b.md", "You are the cook who prepares all meals."),
    )
    runs = tuple(
        Run(id=name, name=name, kind="llm", inputs={"messages": [{"role": "system", "content": file.text}]})
        for name, file in zip(("clerk", "cook"), files, strict=True)
    )
    trace = Trace(id="t", name="t", runs=runs)
    case = Case(trace=trace, expect="x", prompts=prompts.extract(trace), prompt_files=files)
    found = [fixes.acting_file(case, run) for run in runs]
    assert found == list(files)
    assert fixes.acting_file(case, None) is None
