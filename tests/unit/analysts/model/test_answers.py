from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.model import answers
from pytest_refinery.analysts.model.answers import (
    CandidateError,
    ConclusionAnswer,
    GapAnswer,
    GapItem,
    GroupAnswer,
    JudgeAnswer,
    Mapper,
    Quote,
    RemarksAnswer,
    UnusableAnswerError,
)
from tests.fakes import make_trace
from tests.openai_server.strict_schemas import refuse_unsupported_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

KINDS: list[type[BaseModel]] = [GroupAnswer, GapAnswer, ConclusionAnswer, JudgeAnswer, RemarksAnswer]


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_strict(kind: type[BaseModel]) -> None:
    refuse_unsupported_schema(answers.schema(kind), kind.__name__)


def test_every_key_of_a_schema_is_required_and_none_has_a_default() -> None:
    schema = answers.schema(ConclusionAnswer)
    assert schema["required"] == list(schema["properties"])
    assert '"default"' not in json.dumps(schema)


@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here it is: {} I hope it helps."])
def test_an_answer_is_found_in_what_surrounds_it(around: str) -> None:
    text = around.replace("{}", '{"findings": [], "timeline": ["1. begins"]}')
    assert answers.parse(GroupAnswer, text).timeline == ("1. begins",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Certainly!", 'begins "Certainly!"'),
        ("", "the model wrote nothing"),
        ('{"timeline": []}', "findings: Field required"),
        ('{"findings": [{"run": "one", "what": "", "failure_type": "tool_issue"}]}', "findings.0.run: "),
        ('{"findings": [', "no JSON object"),
    ],
)
def test_what_is_no_answer_is_said_with_its_beginning(text: str, problem: str) -> None:
    with pytest.raises(UnusableAnswerError) as caught:
        answers.parse(GroupAnswer, text)
    assert problem in str(caught.value)


FINDING = {"run": "#3", "what": "It lied.", "failure_type": "Tool Issue", "severity": "CRITICAL", "quotes": []}
ANSWER = json.dumps({"timeline": [], "findings": [FINDING]})


@pytest.mark.parametrize(
    "text",
    [
        f"<think>Is it {{this}}? Or {{}}?</think>\n{ANSWER}",
        f"Let me see: {{run 3}}.\n\n```json\n{ANSWER}\n```\nThat is all.",
        f"<thinking>Hm.</thinking> The answer is {ANSWER} as asked.",
        ANSWER.replace('"#3"', '"run 3"'),
        ANSWER.replace('"#3"', "3.0"),
        ANSWER.replace("Tool Issue", "tool-issue").replace("CRITICAL", "severe"),
        json.dumps({"timeline": None, "findings": [FINDING, {"run": "the last"}, "nonsense", None]}),
        json.dumps({"timeline": "1. begins", "findings": FINDING}),
        json.dumps({"findings": [FINDING | {"quotes": [{"run": None}, 7]}]}),
    ],
)
def test_what_is_meant_is_read(text: str) -> None:
    (found,) = answers.parse(GroupAnswer, text).findings
    assert (found.run, found.failure_type.value) == (3, "tool_issue")


def test_a_bad_field_that_matters_little_costs_nothing_else() -> None:
    written = {
        "decisive_run": "#2",
        "failure_type": "Prompt issue",
        "root_cause": "It promised.",
        "confidence": "very high",
        "evidence": [{"run": 2, "quote": "from now on"}, {"quote": "without a run"}],
        "affected_components": "the prompt",
        "suggested_fix": "Change it.",
    }
    found = answers.parse(ConclusionAnswer, json.dumps(written))
    assert (found.decisive_run, found.confidence.value, found.suggested_fix) == (2, "low", None)
    assert [quote.quote for quote in found.evidence] == ["from now on"]
    assert found.affected_components == ("the prompt",)


@pytest.mark.parametrize("verdict", ["met", "Met", " MET "])
def test_a_verdict_is_read_in_any_case(verdict: str) -> None:
    assert answers.parse(JudgeAnswer, json.dumps({"verdict": verdict})).verdict == "met"
    with pytest.raises(UnusableAnswerError):
        answers.parse(JudgeAnswer, json.dumps({"verdict": f"not {verdict} perhaps"}))


@pytest.mark.parametrize(
    ("conditions", "verdict", "is_met"),
    [
        ([], "met", True),
        ([], "undecided", None),
        (["met", "met"], "met", True),
        (["met", "not_met"], "not_met", False),
        (["not_met", "undecided"], "not_met", False),
        (["met", "undecided"], "undecided", None),
        (["met", "met"], "not_met", None),
        (["met", "not_met"], "met", None),
    ],
)
def test_a_verdict_follows_from_those_on_the_conditions(
    conditions: list[str],
    verdict: str,
    is_met: bool | None,  # noqa: FBT001
) -> None:
    rows = [{"condition": "c", "run": 1, "quote": "q", "verdict": each} for each in conditions]
    found = answers.parse(JudgeAnswer, json.dumps({"conditions": rows, "reasons": [], "verdict": verdict}))
    assert (found.is_met, len(found.quotes)) == (is_met, len(conditions))


def test_the_parts_of_an_answer_that_was_cut_off_are_no_answer() -> None:
    cut = json.dumps({"findings": [{"run": 1, "what": "x", "quote": "y"}]})[:-2]
    for kind in KINDS:
        with pytest.raises(UnusableAnswerError):
            answers.parse(kind, cut)


@pytest.mark.parametrize("text", ["{" * 5_000, "[" * 5_000 + "{", '{"a":' * 5_000])
def test_hostile_nesting_is_refused(text: str) -> None:
    with pytest.raises(UnusableAnswerError):
        answers.parse(GroupAnswer, text)


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(UnusableAnswerError):
        answers.parse(GroupAnswer, text)


def candidate(run: int, severity: str = "major") -> CandidateError:
    return CandidateError.model_validate(
        {
            "run": run,
            "what": "It lied.",
            "failure_type": "model_limitation",
            "severity": severity,
            "quotes": [{"run": run, "quote": "a lie"}],
        }
    )


def test_numbers_become_ids() -> None:
    mapper = Mapper(make_trace("one", "two"))
    (finding,) = mapper.findings(GroupAnswer(findings=(candidate(2),)))
    assert (finding.run_id, finding.evidence[0].run_id, finding.failure_type) == (
        "r2",
        "r2",
        FailureType.MODEL_LIMITATION,
    )
    gaps = mapper.gaps(GapAnswer(gaps=(GapItem(expected="a", actual="b", run=1), GapItem(expected="c", actual="d"))))
    assert [gap.run_id for gap in gaps.gaps] == ["r1", None]


def test_the_more_severe_weighs_more() -> None:
    mapper = Mapper(make_trace("one"))
    found = mapper.findings(GroupAnswer(findings=tuple(candidate(1, each) for each in ("critical", "major", "minor"))))
    weights = [finding.weight for finding in found]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == 3


@pytest.mark.parametrize("number", [0, -1, 3, 10**9])
def test_a_number_that_the_trace_does_not_have_stays_recognisable(number: int) -> None:
    mapper = Mapper(make_trace("one", "two"))
    answer = GroupAnswer(findings=(candidate(number), candidate(1)))
    assert mapper.findings(answer)[0].run_id == f"#{number}"
    assert mapper.unknown_runs(answer) == (number,)
    assert mapper.evidence([Quote(run=number, quote="x")])[0].run_id == f"#{number}"
