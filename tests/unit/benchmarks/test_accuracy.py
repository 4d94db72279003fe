from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.accuracy import data_sets, floors, metrics, precision, report, support, teams, trial
from benchmarks.accuracy.labelled import Answer, Labelled, Mode
from pytest_refinery import wiring
from pytest_refinery.analysis.schemas import Confidence
from pytest_refinery.analysts.rules import confidence
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.expectations.checks import Check
from pytest_refinery.settings import Settings
from pytest_refinery.traces.model import Run, Trace
from tests.data_paths import require

_RULES = Settings(analyst="builtin")
_SAID = (
    ("Planner", "Task: say how many people live there."),
    ("Solver", "Let us assume 9000."),
    ("Computer_terminal", "exitcode: 1 (execution failed)\nNameError: name 'x' is not defined"),
    ("Checker", "It is 9000 then, is it not?"),
    ("Solver", "So be it, the number is 9000."),
)


def labelled(decisive: int | None = 1, *, name: str = "a") -> Labelled:
    runs = tuple(
        Run(
            id=str(place),
            name=speaker,
            kind="message",
            outputs={"role": "assistant", "name": speaker, "content": text},
        )
        for place, (speaker, text) in enumerate(_SAID)
    )
    return Labelled(
        data_set="made",
        name=name,
        trace=Trace(id="t", name="talk", runs=runs, format="transcript"),
        expect="The team says how many people live there.",
        checks=(Check.model_validate({"output": {"contains": "7500"}}),),
        run_ids=tuple(run.id for run in runs),
        speakers=tuple(speaker for speaker, _ in _SAID),
        workers=frozenset({"Planner", "Solver", "Checker"}),
        texts=tuple(text for _, text in _SAID),
        decisive=decisive,
        agent="Solver",
        reason="The Solver assumed it.",
        secrets=("How many people live in Smalltown on the river?",),
    )


def answer(step: int | None, **more: Any) -> Answer:  # noqa: ANN401  (the fields of an answer)
    return Answer(step=step, agent="Solver", **more)


def test_steps_compare_by_equality_and_never_by_their_digits() -> None:
    assert metrics.METRICS["exact step"](labelled(1), answer(12)) == 0.0
    assert metrics.METRICS["exact step"](labelled(1), answer(1)) == 1.0


def test_a_case_about_which_nothing_was_said_is_wrong_everywhere() -> None:
    nothing = Answer(step=None, agent=None, is_determined=False)
    found = {name: metric(labelled(), nothing) for name, metric in metrics.METRICS.items()}
    assert found.pop("mean distance") == 5
    assert found.pop("not determined") == 1
    assert set(found.values()) == {0.0}


def test_where_nothing_is_to_blame_only_a_doubt_about_the_expectation_is_right() -> None:
    assert not metrics.is_right(labelled(None), answer(None))
    assert metrics.is_right(labelled(None), answer(1, doubts_expectation=True))
    assert metrics.METRICS["in three"](labelled(None), answer(1, candidates=(1, None))) == 0.0


def test_the_three_candidates_count_apart_from_the_named_step() -> None:
    found = answer(4, candidates=(4, 1, 0))
    assert metrics.METRICS["in three"](labelled(), found) == 1.0
    assert metrics.METRICS["exact step"](labelled(), found) == 0.0


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    cases, answers = [labelled(name=str(n)) for n in range(10)], [answer(n % 2) for n in range(10)]
    figure = metrics.figures(cases, answers)["exact step"]
    assert figure.low <= figure.mean == 0.5 <= figure.high
    assert metrics.figures(cases, answers)["exact step"] == figure


def test_random_is_the_mean_over_all_steps() -> None:
    found = metrics.random_floor([labelled()])
    assert found["exact step"] == pytest.approx(1 / 5)
    assert found["agent"] == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("rule", "step"),
    [("first", 0), ("last", 4), ("second last", 3), ("busiest worker's first", 1), ("first error text", 2)],
)
def test_each_trivial_rule_names_its_step(rule: str, step: int) -> None:
    (found,) = floors.answers(floors.RULES[rule], [labelled()])
    assert found.step == step


def test_steps_that_no_run_owns_are_never_named() -> None:
    owned = replace(labelled(), run_ids=(None, "1", "2", "3", "4"))
    assert floors.first(owned) == 1
    assert len(floors.every_step(owned)) == 4


def test_the_constant_in_hindsight_is_the_most_frequent_label() -> None:
    assert [found.step for found in floors.constant([labelled(3), labelled(3), labelled(1)])] == [3, 3, 3]


def test_precision_counts_what_was_named_and_leaves_out_what_was_not_determined() -> None:
    cases = [labelled(), labelled(), labelled()]
    answers = [
        answer(1, confidence=Confidence.HIGH, rule="assumed"),
        answer(0, confidence=Confidence.HIGH, rule="assumed"),
        answer(None, confidence=Confidence.HIGH, is_determined=False),
    ]
    assert metrics.by_confidence(cases, answers) == {Confidence.HIGH: metrics.Precision(said=2, right=1)}
    assert metrics.by_rule(cases, answers) == {"assumed": metrics.Precision(said=2, right=1)}


def test_the_counts_of_a_rule_are_kept_apart_by_data_set() -> None:
    cases = [labelled(), labelled(), replace(labelled(), data_set="other"), labelled()]
    answers = [
        answer(1, rule="assumed"),
        answer(0, rule="assumed"),
        answer(1, rule="assumed"),
        answer(None, rule="assumed", is_determined=False),
    ]
    assert precision.counts(cases, answers) == {"assumed": {"made": (1, 2), "other": (1, 1)}}


def test_the_file_of_counts_has_a_line_for_each_data_set() -> None:
    text = precision.as_text({"b": {"tau": (1, 2)}, "a": {"tau": (0, 3), "made": (4, 5)}})
    assert json.loads(text) == {"a": {"made": [4, 5], "tau": [0, 3]}, "b": {"tau": [1, 2]}}
    assert '  "made": [4, 5],\n' in text


class _Asked(RulesAnalyst):
    table: object = None

    def __init__(self, table: confidence.Precision) -> None:
        super().__init__(table)
        _Asked.table = table


def test_a_confidence_can_rest_on_the_other_data_sets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "shipped", lambda: {"rule": {"made": (9, 9), "other": (1, 2)}})
    monkeypatch.setattr(precision, "RulesAnalyst", _Asked)
    precision.without("made")
    assert _Asked.table == {"rule": {"other": (1, 2)}}


@pytest.mark.parametrize(
    ("fix", "carried"),
    [
        ("Say 7500.", "7500"),
        ("Never assume 9000.", "9000"),
        ("Ask: how many people live in smalltown on the river?", "how many people live in smalltown on the river?"),
        ("Remember that the team says how many people live there!", "the team says how many people"),
        ("Say a figure only when a tool has returned it.", ""),
        ("Say 75001 never; at most 2 tries.", ""),
    ],
)
def test_a_fix_may_carry_nothing_of_its_case(fix: str, carried: str) -> None:
    assert metrics.leak(labelled(), fix).casefold() == carried


def test_checks_fail_as_they_do_for_users() -> None:
    (failure,) = labelled().case(Mode.CHECKS).failures
    assert "7500" in failure.expected
    assert "9000" in failure.actual
    assert labelled().case(Mode.SENTENCE).failures == ()


def test_each_mode_gives_its_own_sentence() -> None:
    sentences = {mode: labelled().case(mode).expect for mode in Mode}
    assert sentences[Mode.EMPTY] == ""
    assert sentences[Mode.REASON] == "The Solver assumed it."
    assert sentences[Mode.CHECKS] == sentences[Mode.SENTENCE] == labelled().expect


def test_an_analyst_is_asked_through_the_engine() -> None:
    found = trial.ask_one(wiring.build(_RULES).engine, labelled())
    assert (found.coverage, found.tokens) == (1.0, 0)
    assert found.verified == found.quotes
    assert len(found.candidates) <= 3


def test_the_page_has_each_data_set_the_floor_each_mode_and_no_words_of_a_trace() -> None:
    cases = [labelled()]
    said = [answer(3, said="It said “secret words” there.", confidence=Confidence.LOW, rule="assumed", fix="Say 7500.")]
    results = report.Results("rules", cases, {Mode.CHECKS: said, Mode.EMPTY: said})
    page = report.page(results, title="Title", about=["About."])
    assert "## made (1 traces)" in page
    assert "| floor: random |" in page
    assert "| **rules, empty** |" in page
    assert "| made, as shipped: low | 1 | 0 | 0 % |" in page
    assert "1 fixes were suggested; 1 carried" in page
    assert "secret" not in page


def test_a_better_sentence_with_a_worse_diagnosis_is_shown_as_such() -> None:
    right, wrong = [answer(1)], [answer(2)]
    worse = report.Results("x", [labelled()], {Mode.EMPTY: right, Mode.SENTENCE: right, Mode.REASON: wrong})
    assert "| made | 100.0, 0.0 | 100.0, 0.0 | 0.0, 0.0 | no |" in report.page(worse, title="", about=[])


def test_no_word_of_a_label_reaches_the_analyst() -> None:
    data = require("langsmith_tau").parent
    require("who_and_when")
    for one in data_sets.read(data):
        for mode in set(Mode) - {Mode.REASON}:
            assert one.reason not in one.case(mode).expect
            assert one.agent not in one.case(mode).expect.split()


def test_checks_fail_on_every_labelled_trace_but_one() -> None:
    require("who_and_when")
    passing = [one.name for one in data_sets.read(require("langsmith_tau").parent) if not one.failures]
    # Its last message is an error of curl whose number happens to be the right answer.
    assert passing == ["83.json"]


@pytest.mark.parametrize("kind", ["nested", "turns"])
def test_labels_name_a_step_that_the_trace_has(kind: str) -> None:
    for one in support.read(require("langsmith_tau"), kind=kind):
        assert one.decisive is not None
        assert one.run_ids[one.decisive] in one.trace.by_id
        assert one.speakers[one.decisive] == one.agent, one.name


def test_both_recordings_of_a_conversation_have_the_same_messages_at_the_same_places() -> None:
    folder = require("langsmith_tau")
    pairs = zip(support.read(folder), support.read(folder, kind="turns"), strict=True)
    for nested, turns in pairs:
        same = [a == b for a, b in zip(nested.texts, turns.texts, strict=True)]
        assert sum(same) / len(same) > 0.9, nested.name


def test_a_printed_answer_is_read_from_the_last_message() -> None:
    for one in teams.read(require("who_and_when")):
        if one.data_set == "hand-crafted team":
            assert one.checks


def test_wrong_expectations_stand_apart_from_the_steps() -> None:
    cases = [labelled(), labelled(None)]
    said = [answer(1), answer(1, confidence=Confidence.HIGH, doubts_expectation=True)]
    page = report.page(report.Results("rules", cases, {Mode.CHECKS: said}), title="", about=[])
    assert "## made (1 traces)" in page
    assert "says so in 1 (100 %); it says something with confidence high in 1. It doubts 0" in page
