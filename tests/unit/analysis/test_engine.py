from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.schemas import Candidate, Confidence, Diagnosis, GroupAnalysis, SuggestedFix
from pytest_refinery.errors import AnalysisError
from pytest_refinery.expectations.verdicts import CheckFailure
from tests.fakes import ScriptedAnalyst, make_case, make_conclusion, make_finding


def diagnose(analyst: ScriptedAnalyst, *texts: str, limits: Limits | None = None) -> Diagnosis:
    return Engine(analyst, limits or Limits(group_size_runs=1)).diagnose(make_case(*texts))


def test_a_small_trace_is_one_group_and_three_calls() -> None:
    analyst = ScriptedAnalyst()
    found = diagnose(analyst, "one", "two", limits=Limits())
    assert analyst.asked == ["g01", "gaps", "conclusion"]
    assert found.coverage.percentage == 100.0
    assert found.partial is None


def test_every_group_is_asked_for_once() -> None:
    analyst = ScriptedAnalyst()
    diagnose(analyst, "one", "two", "three")
    assert sorted(analyst.asked[:3]) == ["g01", "g02", "g03"]
    assert analyst.asked[3:] == ["gaps", "conclusion"]


def test_findings_stand_in_the_order_of_their_runs_whichever_group_answers_first() -> None:
    second = threading.Event()
    analyst = ScriptedAnalyst(
        groups={
            "g01": [GroupAnalysis(findings=(make_finding("r1"),), runs_read=("r1",))],
            "g02": [GroupAnalysis(findings=(make_finding("r2"),), runs_read=("r2",))],
        },
        before_group=lambda name: second.set() if name == "g02" else (second.wait(30), None)[1],
    )
    found = diagnose(analyst, "one", "two")
    assert [finding.run_id for finding in found.findings] == ["r1", "r2"]


def test_a_rule_speaks_once_about_a_run_with_all_its_evidence() -> None:
    light = make_finding("r1", weight=0.2, quote="one two")
    heavy = make_finding("r1", weight=0.9, quote="two three")
    analyst = ScriptedAnalyst(groups={"g01": [GroupAnalysis(findings=(light, heavy), runs_read=("r1",))]})
    (finding,) = diagnose(analyst, "one two three").findings
    assert finding.weight == 0.9
    assert {evidence.quote for evidence in finding.evidence} == {"one two", "two three"}


def test_a_finding_about_a_run_that_does_not_exist_is_dropped() -> None:
    analyst = ScriptedAnalyst(groups={"g01": [GroupAnalysis(findings=(make_finding("r99"),), runs_read=("r1",))]})
    assert diagnose(analyst, "one").findings == ()


def test_a_group_that_fails_is_asked_again_alone() -> None:
    answer = GroupAnalysis(findings=(make_finding("r2"),), runs_read=("r2",))
    analyst = ScriptedAnalyst(groups={"g02": [AnalysisError("busy"), answer]})
    found = diagnose(analyst, "one", "two", "three")
    assert analyst.asked.count("g02") == 2
    assert found.coverage.percentage == 100.0
    assert found.partial is None
    assert [finding.run_id for finding in found.findings] == ["r2"]


def test_a_group_that_fails_twice_costs_its_coverage_and_nothing_else() -> None:
    analyst = ScriptedAnalyst(groups={"g02": [AnalysisError("busy"), AnalysisError("still busy")]})
    found = diagnose(analyst, "one", "two", "three")
    assert found.coverage.missing_run_ids == ("r2",)
    assert found.coverage.percentage == pytest.approx(66.7)
    assert found.partial == "group g02: still busy"
    assert found.root_cause == "The prompt never says so."


def test_a_run_that_the_analyst_did_not_read_is_not_covered() -> None:
    analyst = ScriptedAnalyst(groups={"g01": [GroupAnalysis(runs_read=("r1",))]})
    found = diagnose(analyst, "one", "two", limits=Limits())
    assert found.coverage.missing_run_ids == ("r2",)


def test_a_run_split_over_groups_counts_when_every_part_was_read() -> None:
    lines = "\n".join(f"line {number} of a long answer" for number in range(400))
    limits = Limits(group_tokens=1_000)
    analyst = ScriptedAnalyst()
    assert diagnose(analyst, lines, limits=limits).coverage.percentage == 100.0
    assert len(analyst.asked) > 4
    failing = ScriptedAnalyst(groups={"g02": [AnalysisError("busy"), AnalysisError("busy")]})
    assert diagnose(failing, lines, limits=limits).coverage.percentage == 0.0


def test_without_stage_three_the_findings_are_only_candidates() -> None:
    findings = (make_finding("r1", weight=0.3), make_finding("r2", weight=0.8, quote="two"))
    analyst = ScriptedAnalyst(
        groups={"g01": [GroupAnalysis(findings=findings, runs_read=("r1", "r2"))]},
        conclusion=AnalysisError("The service refused."),
    )
    found = diagnose(analyst, "one", "two", limits=Limits())
    assert (found.root_cause, found.failure_type, found.responsible_run_id) == (None, None, None)
    assert [(each.run_id, each.run_number, each.reason) for each in found.candidates] == [
        ("r2", 2, "a rule in r2"),
        ("r1", 1, "a rule in r1"),
    ]
    assert found.confidence == Confidence.LOW
    assert found.partial == "diagnosis: The service refused."


def test_where_nothing_was_read_there_is_no_diagnosis_and_no_further_stage() -> None:
    analyst = ScriptedAnalyst(groups={"g01": [ValueError("a"), ValueError("b")]})
    with pytest.raises(AnalysisError, match=r"^nothing of the trace was read \(group g01: ValueError: b\)$"):
        diagnose(analyst, "one")
    assert analyst.asked == ["g01", "g01"]


def test_an_analyst_that_reads_nothing_diagnoses_nothing() -> None:
    analyst = ScriptedAnalyst(groups={"g01": [GroupAnalysis()]})
    with pytest.raises(AnalysisError, match="nothing of the trace was read"):
        diagnose(analyst, "one")


BUSY = [AnalysisError("429 busy")] * 2


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (ScriptedAnalyst(groups={"g01": [*BUSY]}), "429 busy"),
        (ScriptedAnalyst(conclusion=AnalysisError("no answer")), "no answer"),
        (ScriptedAnalyst(gaps=AnalysisError("cap"), conclusion=AnalysisError("cap")), "cap"),
    ],
)
def test_what_an_analyst_cannot_diagnose_the_rules_do_and_the_reason_is_said(first: ScriptedAnalyst, why: str) -> None:
    rules = ScriptedAnalyst(name="rules", conclusion=make_conclusion("r1", quote="one"))
    found = Engine(first, Limits(), fallback=rules).diagnose(make_case("one two"))
    assert (found.analyst, found.responsible_run_id, found.confidence) == ("rules", "r1", Confidence.HIGH)
    assert found.coverage.percentage == 100.0
    assert found.partial == f"The analyst scripted gave no usable answer ({why}): diagnosed by the rules"


def test_what_the_first_analyst_noticed_and_cost_stays() -> None:
    noticed = make_finding("r1", quote="one")
    first = ScriptedAnalyst(
        groups={"g01": [GroupAnalysis(findings=(noticed,), runs_read=("r1",))]}, conclusion=AnalysisError("no")
    )
    found = Engine(first, Limits(), fallback=ScriptedAnalyst(name="rules")).diagnose(make_case("one"))
    assert [(finding.what, finding.explains) for finding in found.findings] == [(noticed.what, ())]
    assert [stage.name for stage in found.stages] == ["trace analysis", "gap analysis", "diagnosis"] * 2


def test_an_analyst_that_answers_needs_no_rules() -> None:
    rules = ScriptedAnalyst(name="rules")
    found = Engine(ScriptedAnalyst(), Limits(), fallback=rules).diagnose(make_case("one"))
    assert (found.analyst, found.partial, rules.asked) == ("scripted", None, [])


def test_where_the_rules_break_too_there_is_no_diagnosis() -> None:
    rules = ScriptedAnalyst(name="rules", groups={"g01": [ValueError("broken")] * 2})
    with pytest.raises(AnalysisError, match=r"\(429 busy; group g01: ValueError: broken\)"):
        Engine(ScriptedAnalyst(groups={"g01": [*BUSY]}), Limits(), fallback=rules).diagnose(make_case("one"))


def test_what_was_cut_short_is_diagnosed_by_the_rules() -> None:
    engine = Engine(ScriptedAnalyst(), Limits(), fallback=ScriptedAnalyst(name="rules"))
    found = engine.begin(make_case("one")).so_far("cut short (Failed: Timeout >1.0s)")
    assert found.analyst == "rules"
    assert found.partial == (
        "The analyst scripted gave no usable answer (cut short (Failed: Timeout >1.0s)): diagnosed by the rules"
    )


def test_a_conclusion_without_a_cause_names_nothing_that_would_rest_on_one() -> None:
    fix = SuggestedFix(component="system prompt", after="Ask first.")
    empty = make_conclusion("r1", quote="one").model_copy(update={"root_cause": " ", "suggested_fix": fix})
    found = diagnose(ScriptedAnalyst(conclusion=empty), "one")
    assert not found.is_determined
    assert (found.failure_type, found.cause, found.responsible_run_id, found.suggested_fix) == (None, "", None, None)


def test_a_cause_that_points_at_nothing_in_the_trace_is_not_determined() -> None:
    for conclusion in (make_conclusion(None), make_conclusion(None, quote="never said"), make_conclusion("r9")):
        assert not diagnose(ScriptedAnalyst(conclusion=conclusion), "one").is_determined
    assert diagnose(ScriptedAnalyst(conclusion=make_conclusion(None, quote="one two")), "one two").is_determined


def test_findings_explain_only_what_has_failed() -> None:
    failure = CheckFailure(check="output.contains", argument="x")
    finding = make_finding("r1").model_copy(update={"explains": (failure.label, "output.contains 'y'")})
    analyst = ScriptedAnalyst(groups={"g01": [GroupAnalysis(findings=(finding,), runs_read=("r1",))]})
    found = Engine(analyst, Limits()).diagnose(replace(make_case("one"), failures=(failure,)))
    assert found.findings[0].explains == ("output.contains 'x'",)
    assert found.also_noticed == ()


def test_candidates_are_runs_of_the_trace_three_at_most_with_their_names() -> None:
    named = tuple(Candidate(run_id=f"r{number}", reason="so", share=0.2) for number in (9, 4, 4, 3, 2, 1))
    conclusion = make_conclusion("r4", quote="four").model_copy(update={"candidates": named})
    found = diagnose(ScriptedAnalyst(conclusion=conclusion), "one", "two", "three", "four")
    assert [(each.run_id, each.run_number, each.run_name) for each in found.candidates] == [
        ("r4", 4, "step 4"),
        ("r3", 3, "step 3"),
        ("r2", 2, "step 2"),
    ]


def test_only_verified_quotes_are_shown_as_evidence() -> None:
    found = diagnose(ScriptedAnalyst(conclusion=make_conclusion("r1", quote="never said")), "one two three")
    assert found.evidence == ()
    assert found.confidence == Confidence.LOW


def test_confidence_stands_on_verified_evidence() -> None:
    found = diagnose(ScriptedAnalyst(conclusion=make_conclusion("r1", quote="two three")), "one two three")
    assert found.evidence[0].verified
    assert found.confidence == Confidence.HIGH
    assert (found.responsible_run_name, found.responsible_run_number) == ("step 1", 1)


def test_a_responsible_run_that_does_not_exist_is_said() -> None:
    found = diagnose(ScriptedAnalyst(conclusion=make_conclusion("r99")), "one")
    assert found.responsible_run_id is None
    assert found.partial == "the analyst named a run that the trace does not have (r99)"


def test_a_diagnosis_that_takes_too_long_is_made_by_the_rules() -> None:
    release = threading.Event()
    analyst = ScriptedAnalyst(before_group=lambda _: (release.wait(30), None)[1])
    engine = Engine(analyst, Limits(timeout_seconds=0.05), fallback=ScriptedAnalyst(name="rules"))
    found = engine.diagnose(make_case("one"))
    release.set()
    assert found.partial == (
        "The analyst scripted gave no usable answer (not finished within 0.05 s (--refinery-timeout)): "
        "diagnosed by the rules"
    )


def test_an_interruption_is_said_and_the_finished_stages_stay() -> None:
    engine = Engine(ScriptedAnalyst(conclusion=make_conclusion("r1")), Limits())
    analysis = engine.begin(make_case("one"))
    analysis.finish()
    found = analysis.so_far("cut short (Failed: Timeout)")
    assert found.partial == "cut short (Failed: Timeout)"
    assert found.responsible_run_id == "r1"


def test_stages_say_what_they_took() -> None:
    names = [(stage.name, stage.calls) for stage in diagnose(ScriptedAnalyst(), "one", "two").stages]
    assert names == [("trace analysis", 2), ("gap analysis", 1), ("diagnosis", 1)]


def test_a_pause_between_groups_reads_them_one_after_the_other() -> None:
    reading: list[str] = []
    analyst = ScriptedAnalyst(before_group=reading.append)
    found = diagnose(analyst, "one", "two", "three", limits=Limits(group_size_runs=1, pause_seconds=0.001))
    assert reading == ["g01", "g02", "g03"]
    assert found.coverage.percentage == 100.0


def test_what_is_final_is_not_asked_again() -> None:
    class FinalError(AnalysisError):
        is_final = True

    analyst = ScriptedAnalyst(groups={"g01": [FinalError("no"), GroupAnalysis(runs_read=("r1",))]})
    with pytest.raises(AnalysisError, match=r"\(group g01: no\)"):
        diagnose(analyst, "one")
    assert analyst.asked.count("g01") == 1


def test_one_reason_is_said_once_for_all_that_it_hit() -> None:
    analyst = ScriptedAnalyst(
        groups={"g01": [AnalysisError("no")] * 2, "g02": [AnalysisError("no")] * 2}, conclusion=AnalysisError("no")
    )
    assert diagnose(analyst, "one", "two", "three").partial == "group g01, group g02, diagnosis: no"


def test_the_time_covers_the_digest_too(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr("pytest_refinery.digest.render.digest", lambda _: is_over.wait(30))
    with pytest.raises(AnalysisError, match=r"not laid out within 0\.05 s \(--refinery-timeout\)"):
        diagnose(ScriptedAnalyst(), "one", limits=Limits(timeout_seconds=0.05))
    is_over.set()


def test_the_weightiest_findings_are_kept_and_the_others_counted() -> None:
    notes = [make_finding("r1", weight=each / 1000).model_copy(update={"rule": f"rule {each}"}) for each in range(200)]
    first = make_finding("r1", weight=0.001).model_copy(update={"rule": "first", "explains": ("expectation",)})
    groups: dict[str, list[GroupAnalysis | Exception]] = {
        "g01": [GroupAnalysis(findings=(*notes, first), runs_read=("r1",))]
    }
    found = diagnose(ScriptedAnalyst(groups=groups), "one two three")
    assert len(found.findings) == 50
    assert found.findings_left_out == 151
    assert {"first", "rule 199"} <= {each.rule for each in found.findings}
