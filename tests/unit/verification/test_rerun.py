"""The verdict on fixes: real copies and patches, and a suite that is a function of the prompt."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis.records import (
    AgentRecord,
    CheckRecord,
    ExpectationRecord,
    ItemRecord,
    JudgeRecord,
    JudgeVerdict,
    Outcome,
    TrialRecord,
)
from pytest_refinery.analysis.schemas import StageReport, Trials, Verification, VerificationStatus
from pytest_refinery.verification.rerun import Patch, Verifier
from pytest_refinery.verification.scratch import Workshop
from pytest_refinery.verification.suite_runs import Suite, SuiteRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_refinery.verification.scratch import Copy

FAILED, OTHER, THIRD = "a.refinery.yaml::failed", "a.refinery.yaml::other", "a.refinery.yaml::third"
PATCH = "--- a/prompt.md\n+++ b/prompt.md\n@@ -1 +1,2 @@\n Be kind.\n+Be short.\n"


def record(nodeid: str, outcome: Outcome, *, check: str = "output.contains", error: str | None = None) -> ItemRecord:
    failed = CheckRecord(name=check, passed=False, expected="short", actual="long")
    return ItemRecord(
        nodeid=nodeid,
        outcome=outcome,
        expectation=ExpectationRecord(id=nodeid, expect="It is short.", file="a.refinery.yaml", line=1),
        checks=(failed,) if outcome is Outcome.FAILED else (),
        error=error,
        agent=AgentRecord(target="a:b", wanted=1, shown=1, trials=(TrialRecord(number=1, outcome=outcome),)),
    )


@dataclass
class ScriptedRuns:
    """Answers with what ``comes_out`` says of an item, whether the fix is in, and how often it was run so."""

    copy: Copy
    changed: tuple[str, ...]
    comes_out: Callable[[str, bool, int], ItemRecord | SuiteRun]
    others: tuple[str, ...] = (OTHER, THIRD)
    counts: dict[tuple[str, bool], int] = field(default_factory=dict)

    def run(self, nodeids: Sequence[str]) -> SuiteRun:
        is_fixed = "short" in (self.copy.folder / "prompt.md").read_text("utf-8")
        found: list[ItemRecord] = []
        for nodeid in nodeids:
            self.counts[nodeid, is_fixed] = number = self.counts.get((nodeid, is_fixed), 0) + 1
            one = self.comes_out(nodeid, is_fixed, number)
            if isinstance(one, SuiteRun):
                return one
            found.append(one)
        return SuiteRun(tuple(found), is_read=True)

    def run_others(self, agent: str, without: str) -> SuiteRun:
        assert (agent, without) == ("a:b", FAILED)
        return self.run(self.others)


def plain(nodeid: str, is_fixed: bool, number: int) -> ItemRecord | SuiteRun:  # noqa: FBT001
    """The fix helps; all else holds."""
    return record(nodeid, Outcome.PASSED if is_fixed or nodeid != FAILED else Outcome.FAILED)


@pytest.fixture
def verified(tmp_path: Path) -> Callable[..., Verification]:
    project = tmp_path / "project"
    project.mkdir()

    def verified(
        comes_out: Callable[[str, bool, int], ItemRecord | SuiteRun] = plain,
        *,
        trials: int = 5,
        patch: str = PATCH,
        is_applied: bool = False,
        of: ItemRecord | None = None,
        runs: type[ScriptedRuns] = ScriptedRuns,
    ) -> Verification:
        workshop = Workshop(tmp_path / "copies", "1.2.3", lambda _: True)
        verifier = Verifier(
            workshop,
            Suite(project, project),
            trials,
            lambda _: None,
            runs=lambda _, copy, changed: runs(copy, changed, comes_out),  # type: ignore[arg-type,return-value]
        )
        text = "Be kind.\nBe short.\n" if is_applied else "Be kind.\n"
        (project / "prompt.md").write_text(text, encoding="utf-8")
        found = verifier.verify(of or record(FAILED, Outcome.FAILED), Patch(patch, project, is_applied))
        assert list(workshop.folder.iterdir() if workshop.folder.exists() else ()) == []
        assert (project / "prompt.md").read_text("utf-8") == text
        return found

    return verified


def test_a_fix_that_helps_is_confirmed(verified: Callable[..., Verification]) -> None:
    found = verified()
    assert (found.status, found.before, found.after) == (
        VerificationStatus.CONFIRMED,
        Trials(passed=0, trials=5),
        Trials(passed=5, trials=5),
    )
    assert (found.unchanged, found.lost, found.why) == (2, (), "")


def test_a_fix_that_is_made_already_is_taken_out_for_the_trials_without_it(
    verified: Callable[..., Verification],
) -> None:
    found = verified(is_applied=True)
    assert (found.status, found.before, found.after) == (
        VerificationStatus.CONFIRMED,
        Trials(passed=0, trials=5),
        Trials(passed=5, trials=5),
    )


MAY_BE = {
    "right": {"confirmed"},
    "useless": {"refuted"},
    "breaks another": {"refuted"},
    "works in 60 %": {"confirmed", "inconclusive"},
    "crashes": {"refuted"},
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", MAY_BE)
def test_what_is_said_of_a_fix_is_true(verified: Callable[..., Verification], kind: str, seed: int) -> None:
    draw = random.Random(f"{kind} {seed}")  # noqa: S311  (simulated)

    def comes_out(nodeid: str, is_fixed: bool, number: int) -> ItemRecord | SuiteRun:  # noqa: FBT001
        if not is_fixed or (nodeid == THIRD and kind != "crashes"):
            return plain(nodeid, is_fixed=False, number=number)
        if nodeid == OTHER:
            return record(nodeid, Outcome.FAILED if kind in {"breaks another", "crashes"} else Outcome.PASSED)
        if kind == "crashes":
            return record(nodeid, Outcome.FAILED, check="agent")
        works = {"right": True, "breaks another": True, "works in 60 %": draw.random() < 0.6}.get(kind, False)
        return record(nodeid, Outcome.PASSED if works else Outcome.FAILED)

    assert verified(comes_out).status.value in MAY_BE[kind]


def test_a_fix_that_changes_nothing_is_refuted(verified: Callable[..., Verification]) -> None:
    found = verified(lambda nodeid, _, number: plain(nodeid, is_fixed=False, number=number))
    assert (found.status, found.after) == (VerificationStatus.REFUTED, Trials(passed=0, trials=5))


def test_a_fix_that_breaks_another_expectation_is_refuted(verified: Callable[..., Verification]) -> None:
    found = verified(
        lambda nodeid, is_fixed, number: (
            record(nodeid, Outcome.FAILED) if nodeid == OTHER and is_fixed else plain(nodeid, is_fixed, number)
        )
    )
    assert (found.status, found.lost, found.unchanged) == (VerificationStatus.REFUTED, (OTHER,), 1)


def test_one_that_it_breaks_now_and_then_leaves_it_open(verified: Callable[..., Verification]) -> None:
    found = verified(
        lambda nodeid, is_fixed, number: (
            record(nodeid, Outcome.FAILED if number % 2 else Outcome.PASSED)
            if nodeid == OTHER and is_fixed
            else plain(nodeid, is_fixed, number)
        )
    )
    assert (found.status, found.lost) == (VerificationStatus.INCONCLUSIVE, ())
    assert OTHER in found.why


def test_one_that_fails_without_it_too_is_unchanged(verified: Callable[..., Verification]) -> None:
    found = verified(
        lambda nodeid, is_fixed, number: (
            record(nodeid, Outcome.FAILED) if nodeid == OTHER else plain(nodeid, is_fixed, number)
        )
    )
    assert (found.status, found.unchanged) == (VerificationStatus.CONFIRMED, 2)


def test_one_that_nobody_can_decide_is_counted_apart(verified: Callable[..., Verification]) -> None:
    found = verified(
        lambda nodeid, is_fixed, number: (
            record(nodeid, Outcome.UNDECIDED, error="no judge") if nodeid == OTHER else plain(nodeid, is_fixed, number)
        )
    )
    assert (found.status, found.unchanged) == (VerificationStatus.CONFIRMED, 1)
    assert found.why == "Other expectations that could not be decided: 1."


def test_a_process_that_ends_without_a_record_has_failed(verified: Callable[..., Verification]) -> None:
    crash = SuiteRun(problem="it ended with code 3")
    found = verified(
        lambda nodeid, is_fixed, number: crash if nodeid == FAILED and is_fixed else plain(nodeid, is_fixed, number)
    )
    assert (found.status, found.after) == (VerificationStatus.REFUTED, Trials(passed=0, trials=5))


@pytest.mark.parametrize(
    ("comes_out", "why"),
    [
        (
            lambda nodeid, *_: record(nodeid, Outcome.UNDECIDED, error="there is no key"),
            "Without the fix it cannot be decided: there is no key.",
        ),
        (
            lambda nodeid, is_fixed, number: (
                record(nodeid, Outcome.UNDECIDED, error="no tokens left")
                if is_fixed and number == 3
                else plain(nodeid, is_fixed, number)
            ),
            "With the fix it cannot be decided: no tokens left.",
        ),
        (
            lambda nodeid, *_: record(nodeid, Outcome.FAILED, check="agent"),
            "In a copy of the project it fails in another way: agent: long.",
        ),
        (
            lambda *_: SuiteRun(problem="it ended with code 4: unrecognized arguments"),
            "In a copy of the project it fails in another way: it ended with code 4: unrecognized arguments.",
        ),
        (
            lambda nodeid, *_: SuiteRun((record(nodeid, Outcome.FAILED),), read_in_project=("prompt.md",)),
            "The runs read prompt.md of the project itself, not of its copy, so that no change of it could be seen.",
        ),
        (
            lambda nodeid, *_: SuiteRun((record(nodeid, Outcome.FAILED),)),
            "Nothing read prompt.md in the runs with the fix.",
        ),
        (
            lambda nodeid, is_fixed, number: (
                SuiteRun(problem="it did not end") if nodeid != FAILED else plain(nodeid, is_fixed, number)
            ),
            "The other expectations could not be run with the fix: it did not end.",
        ),
    ],
    ids=["undecided", "budget", "another-way", "usage", "project-read", "nothing-read", "others"],
)
def test_where_nothing_can_be_shown_it_says_why(
    verified: Callable[..., Verification], comes_out: Callable[..., ItemRecord | SuiteRun], why: str
) -> None:
    found = verified(comes_out)
    assert found.status is VerificationStatus.NOT_POSSIBLE
    assert found.why.startswith(why)


def test_what_does_not_fail_without_the_fix_is_not_run_with_it(verified: Callable[..., Verification]) -> None:
    found = verified(lambda nodeid, *_: record(nodeid, Outcome.PASSED))
    assert (found.status, found.before, found.after) == (
        VerificationStatus.INCONCLUSIVE,
        Trials(passed=5, trials=5),
        None,
    )


def test_without_an_agent_it_is_not_possible(verified: Callable[..., Verification]) -> None:
    found = verified(of=record(FAILED, Outcome.FAILED).model_copy(update={"agent": None}))
    assert (found.status, found.why.partition(";")[0]) == (
        VerificationStatus.NOT_POSSIBLE,
        "No agent is named that could be run",
    )


def test_a_patch_that_does_not_fit_is_not_possible(verified: Callable[..., Verification]) -> None:
    found = verified(patch=PATCH.replace("Be kind.", "Be quick."))
    assert (found.status, found.why.partition(":")[0]) == (VerificationStatus.NOT_POSSIBLE, "The patch does not fit")


def test_the_tokens_of_all_judges_are_counted(verified: Callable[..., Verification]) -> None:
    def judged(nodeid: str, is_fixed: bool, number: int) -> ItemRecord:  # noqa: FBT001
        verdict = JudgeVerdict.MET if is_fixed or nodeid != FAILED else JudgeVerdict.NOT_MET
        cost = StageReport(name="judge", input_tokens=90, output_tokens=10)
        judge = JudgeRecord(model="m", verdict=verdict, cost=cost)
        trial = TrialRecord(number=1, outcome=Outcome.PASSED, judge=judge)
        agent = AgentRecord(target="a:b", wanted=1, shown=1, trials=(trial,))
        outcome = Outcome.PASSED if verdict is JudgeVerdict.MET else Outcome.FAILED
        return record(nodeid, outcome).model_copy(update={"checks": (), "judge": judge, "agent": agent})

    of = judged(FAILED, is_fixed=False, number=1)
    found = verified(judged, of=of)
    assert (found.status, found.tokens) == (VerificationStatus.CONFIRMED, 1_200)
