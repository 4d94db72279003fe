from __future__ import annotations

import json

from pytest_refinery.analysts.model import answers, session_summary
from pytest_refinery.analysts.model.answers import CauseItem, SummaryAnswer
from pytest_refinery.analysts.model.models import abilities
from pytest_refinery.analysts.model.questions import ModelOptions
from tests.unit.analysis.test_records import make_diagnosis, make_item

MANNER = ModelOptions(model="m")
KNOWN = abilities("m")
FAILURES = [
    make_item("a", diagnosis=make_diagnosis("Promises.")),
    make_item("b", diagnosis=make_diagnosis("Guesses.")),
    make_item("c", diagnosis=make_diagnosis("Promises.")),
]


def shown(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"group"')]


def test_failures_with_the_same_words_are_one_group_the_largest_first() -> None:
    groups = session_summary.groups(FAILURES, most_tokens=10_000)
    assert [[item.expectation.id for item in group] for group in groups] == [["a", "c"], ["b"]]
    rows = shown(session_summary.query(MANNER, groups).text)
    assert [(row["group"], row["failures"], row["cause"]) for row in rows] == [(1, 2, "Promises."), (2, 1, "Guesses.")]


def test_as_many_groups_are_shown_as_fit_but_one_at_least() -> None:
    assert len(session_summary.groups(FAILURES, most_tokens=100)) == 1
    assert len(session_summary.groups(FAILURES, most_tokens=0)) == 1


def test_a_long_diagnosis_is_cut() -> None:
    long = make_item("a", diagnosis=make_diagnosis("x" * 1_000_000, root_cause="y" * 1_000_000))
    (group,) = session_summary.groups([long], most_tokens=20_000)
    assert len(session_summary.query(MANNER, [group]).text) < 4_000


def test_an_answer_speaks_of_items_and_unknown_groups_are_dropped() -> None:
    groups = session_summary.groups(FAILURES, most_tokens=10_000)
    answer = SummaryAnswer(
        causes=(CauseItem(groups=(1, 7), cause="One.", advice="Do."), CauseItem(groups=(0, -1), cause="None.")),
        executive_summary="All.",
    )
    told = session_summary.read(answer, groups)
    assert told.summary == "All."
    assert [cause.nodeids for cause in told.causes] == [("a.refinery.yaml::a", "a.refinery.yaml::c"), ()]


def test_the_same_failures_always_make_the_same_question() -> None:
    first, second = (session_summary.query(MANNER, session_summary.groups(FAILURES, most_tokens=9_000)) for _ in "ab")
    assert first == second


def test_a_forecast_is_about_what_the_question_costs() -> None:
    failures = [
        make_item(str(n), diagnosis=make_diagnosis(f"Cause {n}.", root_cause="words " * 120)) for n in range(10)
    ]
    query = session_summary.query(MANNER, session_summary.groups(failures, most_tokens=20_000))
    forecast = session_summary.forecast(MANNER, 10, KNOWN)
    assert abs(forecast.input_tokens - query.input_tokens(KNOWN)) < 0.5 * query.input_tokens(KNOWN)
    assert forecast.most_output_tokens == query.max_output_tokens


def test_what_the_user_has_set_is_the_room_for_the_answer() -> None:
    groups = session_summary.groups(FAILURES, most_tokens=10_000)
    query = session_summary.query(ModelOptions(model="m", max_output_tokens_other=333), groups)
    assert (query.max_output_tokens, query.has_fixed_room) == (333, True)


def test_the_schema_is_strict() -> None:
    schema = answers.schema(SummaryAnswer)
    assert schema["required"] == ["causes", "executive_summary"]
    assert schema["$defs"]["CauseItem"]["additionalProperties"] is False
