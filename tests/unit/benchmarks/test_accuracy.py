from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.accuracy import categories, fit, floors, metrics, readers, report, trial
from benchmarks.accuracy.labelled import Answer, Labelled
from benchmarks.accuracy.prior import PRIOR
from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.schemas import Confidence, Coverage, Diagnosis, FailureType, Finding
from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst
from tests.data_paths import require
from tests.unit.llm.scenes import agent, case, speaks, talk


def labelled(decisive: int = 1, *, name: str = "a") -> Labelled:
    trace = talk(
        agent("Task: say how many people live there.", "Planner"),
        agent("Let us assume 9000.", "Solver"),
        speaks("Computer_terminal", "exitcode: 1 (execution failed)\nNameError: name 'x' is not defined"),
        agent("It is 9000 then, is it not?", "Checker"),
        agent("So be it, the number is 9000.", "Solver"),
    )
    return Labelled(
        data_set="made",
        name=name,
        case=case(trace),
        run_ids=tuple(run.id for run in trace.runs),
        speakers=("Planner", "Solver", "Computer_terminal", "Checker", "Solver"),
        workers=frozenset({"Planner", "Solver", "Checker"}),
        texts=("Task", "Assume", "NameError: failed", "Then", "So"),
        decisive=decisive,
        agent="Solver",
        failures=frozenset({decisive, 4}),
        category="Made up",
    )


def answer(step: int | None, **more: Any) -> Answer:  # noqa: ANN401  (the fields of an answer)
    return Answer(step=step, agent="Solver", **more)


def test_steps_compare_by_equality_and_never_by_their_digits() -> None:
    assert metrics.METRICS["exact step"](labelled(1), answer(12)) == 0.0
    assert metrics.METRICS["exact step"](labelled(1), answer(1)) == 1.0


def test_a_case_about_which_nothing_was_said_is_wrong_everywhere() -> None:
    nothing = Answer(step=None, agent=None)
    found = {name: metric(labelled(), nothing) for name, metric in metrics.METRICS.items()}
    assert found.pop("mean distance") == 5
    assert set(found.values()) == {0.0}


def test_any_labelled_failure_counts_beside_the_decisive_one() -> None:
    assert metrics.METRICS["any labelled failure"](labelled(), answer(4)) == 1.0


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


def diagnosis(*findings: Finding) -> Diagnosis:
    return Diagnosis(
        failure_type=FailureType.TOOL_ISSUE,
        root_cause="",
        responsible_run_id="1",
        responsible_run_name="x",
        confidence=Confidence.LOW,
        findings=findings,
        coverage=Coverage(runs_total=1, runs_read=1, percentage=100.0),
        analyst="x",
    )


def finding(rule: str, weight: float, run_id: str = "1") -> Finding:
    return Finding(run_id=run_id, what="", failure_type=FailureType.TOOL_ISSUE, rule=rule, weight=weight)


def test_the_category_is_that_of_the_decisive_runs_weightiest_rule() -> None:
    found = diagnosis(
        finding("changed_request", 0.2), finding("closed_door", 0.6), finding("miscounted", 0.9, run_id="2")
    )
    assert categories.of(found) == "Intent Plan Misalignment"


def test_without_a_rule_the_failure_type_tells_the_category() -> None:
    assert categories.of(diagnosis()) == "Invalid Invocation"


def test_an_analyst_is_asked_through_the_engine() -> None:
    found = trial.ask_one(Engine(BuiltinAnalyst(), Limits()), labelled())
    assert (found.step, found.agent) == (1, "Solver")
    assert (found.coverage, found.tokens) == (1.0, 0)
    assert found.verified == found.quotes > 0


def test_fitting_makes_the_labelled_steps_likelier() -> None:
    examples = [fit.example(labelled(name=str(n))) for n in range(4)]
    before, after = fit.chances(examples[0], PRIOR), fit.chances(examples[0], fit.fit(examples))
    assert after[1] > before[1]


def test_cross_validated_weights_have_not_seen_their_case() -> None:
    odd = replace(labelled(name="odd"), decisive=3)
    examples = [*(fit.example(labelled(name=str(n))) for n in range(11)), fit.example(odd)]
    held_out = fit.cross_validated(examples)[-1]
    assert fit.chances(examples[-1], held_out)[3] < fit.chances(examples[-1], fit.fit(examples))[3]


def test_the_page_has_each_data_set_the_pool_the_floor_and_no_words_of_a_trace() -> None:
    cases = [labelled()]
    arms = [
        report.Arm(
            "builtin", [answer(3, category="Other", said="It said “secret words” there.", confidence=Confidence.LOW)]
        )
    ]
    page = report.page(report.data(cases, arms), cases, arms, about=["About."])
    assert "## made (1 traces)" in page
    assert "## all (1 traces)" in page
    assert "| floor: random |" in page
    assert "| Made up | Other | 1 |" in page
    assert "secret" not in page


def test_reliability_says_how_often_each_confidence_was_right() -> None:
    cases = [labelled(), labelled(), labelled()]
    said = [
        answer(1, confidence=Confidence.HIGH),
        answer(0, confidence=Confidence.HIGH),
        answer(9, confidence=Confidence.LOW),
    ]
    assert report.reliability(cases, said) == {
        "high": {"said": 2, "exact step": 0.5, "within 3": 1.0},
        "low": {"said": 1, "exact step": 0.0, "within 3": 0.0},
    }


def test_no_word_of_a_label_reaches_the_analyst() -> None:
    data = require("langsmith_tau").parent
    require("who_and_when")
    for one in readers.read(data, answers=False):
        assert one.reason not in one.case.expect
        assert one.case.failures == ()
        assert one.agent not in one.case.expect.split()


@pytest.mark.parametrize("kind", ["nested", "turns"])
def test_labels_name_a_step_that_the_trace_has(kind: str) -> None:
    for one in readers.tau(require("langsmith_tau"), kind=kind):
        assert one.run_ids[one.decisive] in one.case.trace.by_id
        assert one.speakers[one.decisive] == one.agent, one.name
