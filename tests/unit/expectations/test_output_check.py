from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations.checks import run_checks
from pytest_refinery.expectations.output_check import folded
from tests.unit.expectations.made import answering, decide, make_check, make_run, make_trace, speaking


@pytest.mark.parametrize(
    ("demanded", "text"),
    [
        ("from now on", "From now\n on it is excluded."),
        ("can't remember", "I can’t remember"),  # noqa: RUF001
        ('the "best" plan', "It is the “best” plan."),
        ("2-3 days", "2–3 days"),  # noqa: RUF001
        ("co-operate", "co\u00ad-operate"),
        ("STRASSE", "Die Straße"),
        ("a b", "a\u00a0b"),
    ],
)
def test_contains_looks_past_case_space_and_typography(demanded: str, text: str) -> None:
    assert decide("output", {"contains": demanded}, answering(text)).passed
    assert not decide("output", {"not_contains": demanded}, answering(text)).passed


def test_a_missing_text_is_said_with_the_answer_and_its_run() -> None:
    verdict = decide("output", {"contains": "I cannot"}, answering("I will."))
    assert (verdict.name, verdict.passed) == ("output.contains", False)
    assert verdict.message == "expected the answer to contain 'I cannot', was 'I will.' (in run 'agent', id agent)"


def test_an_unwanted_text_is_shown_where_it_stands() -> None:
    verdict = decide("output", {"not_contains": "from now on"}, answering("x " * 500 + "From  now on" + " y" * 500))
    assert verdict.expected == "the answer not to contain 'from now on'"
    assert "From  now on" in verdict.actual
    assert verdict.actual.startswith("'… ")


def test_a_text_that_only_folding_finds_is_shown_from_the_beginning() -> None:
    assert decide("output", {"not_contains": "strasse"}, answering("Straße")).actual == "'Straße'"


def test_each_text_has_a_verdict_of_its_own() -> None:
    verdicts = run_checks([make_check("output", {"contains": ["yes", "no"], "equals": "Yes."})], answering("Yes."))
    assert [(verdict.name, verdict.passed) for verdict in verdicts] == [
        ("output.contains", True),
        ("output.contains", False),
        ("output.equals", True),
    ]


def test_a_pattern_is_searched_for_with_its_inline_flags() -> None:
    assert decide("output", {"matches": r"(?i)order #\d+"}, answering("Your ORDER #12")).passed
    assert not decide("output", {"matches": r"order #\d+"}, answering("Your ORDER #12")).passed


def test_a_missing_pattern_is_said() -> None:
    assert decide("output", {"matches": r"\d{3}"}, answering("12")).message == (
        r"expected the answer to match '\d{3}', was '12' (in run 'agent', id agent)"
    )


def test_an_unwanted_pattern_is_shown_where_it_stands() -> None:
    verdict = decide("output", {"not_matches": r"\$\d+"}, answering("a" * 1000 + "$12"))
    assert verdict.expected == r"the answer not to match '\$\d+'"
    assert verdict.actual.endswith("$12'")


def test_equals_compares_all_but_the_space_around() -> None:
    assert decide("output", {"equals": "Yes."}, answering("\n Yes. ")).passed
    assert decide("output", {"equals": "yes."}, answering("Yes.")).message == (
        "expected the answer 'yes.', was 'Yes.' (in run 'agent', id agent)"
    )


def test_unequal_texts_are_shown_where_they_part() -> None:
    verdict = decide("output", {"equals": "a" * 1000 + "X"}, answering("a" * 1000 + "Y"))
    assert verdict.expected.endswith("X'")
    assert verdict.actual.endswith("Y'")


def test_equal_beginnings_are_shown_from_the_beginning() -> None:
    assert decide("output", {"equals": "Yes"}, answering("Yes, Sir")).actual == "'Yes, Sir'"


def test_without_an_answer_every_demand_fails() -> None:
    failed = make_trace(make_run("agent", error="RecursionError: limit of 25"))
    verdict = decide("output", {"not_contains": "x"}, failed)
    assert not verdict.passed
    assert verdict.message == (
        "expected an answer, was none, because the run failed with 'RecursionError: limit of 25' "
        "(in run 'agent', id agent)"
    )


def test_an_agent_that_says_nothing_has_no_answer() -> None:
    assert decide("output", {"equals": "x"}, make_trace(make_run("agent"))).actual == "none"


def test_the_answer_of_a_transcript_names_its_message() -> None:
    trace = speaking({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})
    assert decide("output", {"contains": "goodbye"}, trace).run_id == "1"


SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


@pytest.mark.parametrize("answer", ['{"total": 3}', '```json\n{"total": 3}\n```', {"total": 3}])
def test_an_answer_in_json_meets_the_schema_however_it_is_wrapped(answer: object) -> None:
    assert decide("output", {"json_schema": SCHEMA}, answering(answer)).passed


def test_a_violated_schema_is_said_with_the_place() -> None:
    assert decide("output", {"json_schema": SCHEMA}, answering('{"total": "3"}')).message == (
        "expected the answer to be JSON that meets the schema, was ''3' is not of type 'number'' at $.total "
        "(in run 'agent', id agent)"
    )


def test_an_answer_that_is_no_json_does_not_meet_the_schema() -> None:
    assert decide("output", {"json_schema": SCHEMA}, answering("total: 3")).actual == "no JSON: 'total: 3'"


def test_a_schema_that_points_elsewhere_is_undecided_and_fetches_nothing() -> None:
    with pytest.raises(CheckError) as caught:
        decide("output", {"json_schema": {"$ref": "https://example.com/schema.json"}}, answering("{}"))
    assert str(caught.value) == (
        "The schema of output.json_schema cannot be used: Unresolvable: https://example.com/schema.json."
    )


def test_without_jsonschema_the_check_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(CheckError) as caught:
        decide("output", {"json_schema": SCHEMA}, answering("{}"))
    assert str(caught.value) == (
        "The check output.json_schema needs the package jsonschema: pip install 'pytest-refinery[jsonschema]'."
    )


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(min_size=1).filter(lambda text: text.strip()), st.text(), st.text())
def test_a_text_contains_each_line_of_its_own(middle: str, before: str, after: str) -> None:
    assert decide("output", {"contains": middle}, answering(f"{before}\n{middle}\n{after}")).passed


_TOLD_EARLIER = speaking(
    {"role": "user", "content": "What does it cost? Is it 99?"},
    {"role": "assistant", "content": "It costs 12 euros."},
    {"role": "user", "content": "Thanks."},
    {"role": "assistant", "content": "You are welcome."},
)


def test_only_the_last_answer_counts_unless_all_are_asked_for() -> None:
    assert not decide("output", {"contains": "12 euros"}, _TOLD_EARLIER).passed
    assert decide("output", {"contains": "12 euros", "in": "last"}, _TOLD_EARLIER).passed is False
    assert decide("output", {"contains": "12 euros", "in": "any"}, _TOLD_EARLIER).passed


def test_a_prohibition_names_the_run_that_broke_it() -> None:
    found = decide("output", {"not_contains": "12 euros", "in": "any"}, _TOLD_EARLIER)
    assert (found.passed, found.run_id) == (False, "1")
    assert found.expected == "each answer not to contain '12 euros'"
    assert found.failure is not None
    assert found.failure.text == "12 euros"


def test_what_no_answer_says_is_missing_from_the_last_one() -> None:
    found = decide("output", {"matches": r"\b13\b", "in": "any"}, _TOLD_EARLIER)
    assert (found.passed, found.run_id) == (False, "3")
    assert found.expected == r"an answer to match '\b13\b'"


def test_what_the_user_says_is_no_answer() -> None:
    assert decide("output", {"not_contains": "99", "in": "any"}, _TOLD_EARLIER).passed


def test_all_answers_of_a_tree_are_those_of_its_models() -> None:
    trace = make_trace(
        make_run("agent", outputs={"output": "Bye."}),
        make_run("one", "llm", parent_id="agent", outputs={"role": "assistant", "content": "It is 12."}),
        make_run("two", "llm", parent_id="agent", outputs={"role": "assistant", "content": "Bye."}),
    )
    assert decide("output", {"contains": "It is 12", "in": "any"}, trace).run_id == "one"
    assert decide("output", {"not_contains": "Bye", "in": "any"}, trace).run_id == "agent"


def test_a_place_alone_demands_nothing() -> None:
    with pytest.raises(ValueError, match="demands nothing; give it one of contains, not_contains"):
        make_check("output", {"in": "any"})


@pytest.mark.parametrize(
    ("wanted", "text", "is_there"),
    [
        ("2", "There are 12 of them.", False),
        ("2", "It is 2.5 kg.", False),
        ("2", "It is 1,200.", False),
        ("2", "It was 3.2, I think.", False),
        ("2", "There are 2.", True),
        ("2", "Of 12, take 2!", True),
        ("cat", "A category.", False),
        ("the cat", "See:  The\nCat.", True),
    ],
)
def test_whole_words_stand_alone(wanted: str, text: str, is_there: bool) -> None:  # noqa: FBT001
    assert decide("output", {"contains": wanted, "whole_words": True}, answering(text)).passed is is_there
    assert decide("output", {"not_contains": wanted, "whole_words": True}, answering(text)).passed is not is_there


@pytest.mark.parametrize("rest", [{"unevaluatedProperties": False}, {"additionalProperties": False}])
def test_patterns_of_names_are_searched_for_within_a_time(rest: dict[str, Any]) -> None:
    schema = {"patternProperties": {"^(a+)+$": {"type": "integer"}, "^(?:a+)+$": {"maximum": 5}}, **rest}
    found = decide("output", {"json_schema": schema}, answering(json.dumps({"a" * 40: 1, "a" * 40 + "!": 2})))
    assert "unexpected" in found.message
    assert decide("output", {"json_schema": schema}, answering(json.dumps({"a" * 40: 1}))).passed
    assert not decide("output", {"json_schema": schema}, answering(json.dumps({"a" * 40: 9}))).passed
