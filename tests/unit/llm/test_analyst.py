from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import Confidence, FailureType, Gap
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst
from pytest_refinery.traces.model import Run, Trace
from tests.unit.llm.scenes import agent, case, did, group, system, talk, user

PROMPT = "You help clients of a bank.\n\n- Be friendly."
STORY = (
    system(PROMPT),
    user("Show my transactions of October."),
    did("list_transactions", {"month": "October"}, [{"text": "Cash sweep redemption", "amount": -120.5}]),
    agent("There is one: cash sweep redemption, -120.50."),
    user("Exclude all transactions that say 'cash sweep redemption'."),
    agent("Understood. From now on I will exclude them."),
)
EXPECT = "The agent says that it cannot keep preferences between conversations."


def test_the_promise_that_cannot_be_kept_is_diagnosed() -> None:
    asked = case(talk(*STORY), expect=EXPECT, prompt_files=(PromptFile("prompts/agent.md", PROMPT),))
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(asked)
    assert diagnosis.responsible_run_id == "6"
    assert diagnosis.failure_type == FailureType.PROMPT_ISSUE
    assert diagnosis.confidence == Confidence.MEDIUM
    assert "From now on I will exclude them." in [evidence.quote for evidence in diagnosis.evidence]
    assert diagnosis.suggested_fix is not None
    assert diagnosis.suggested_fix.file == "prompts/agent.md"
    assert "nothing is kept from one conversation to the next" in diagnosis.suggested_fix.after
    assert diagnosis.missing_context[0].startswith("The prompt does not say that nothing is kept")
    assert EXPECT in diagnosis.executive_summary
    assert (diagnosis.coverage.percentage, diagnosis.partial) == (100.0, None)


def test_groups_that_are_read_at_the_same_time_find_what_one_group_finds() -> None:
    asked = case(talk(*STORY), expect=EXPECT)
    analyst = BuiltinAnalyst()
    with ThreadPoolExecutor(4) as pool:
        parts = list(
            pool.map(lambda part: analyst.analyse_group(asked, part), [group(run.id) for run in asked.trace.runs])
        )
    whole = analyst.analyse_group(asked, group(*(run.id for run in asked.trace.runs)))
    assert [finding for part in parts for finding in part.findings] == list(whole.findings)
    assert [run_id for part in parts for run_id in part.runs_read] == list(whole.runs_read)


def test_where_no_rule_fits_the_report_says_so() -> None:
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(case(talk(user("Hello."), agent("Good morning."))))
    assert diagnosis.root_cause is None
    assert diagnosis.confidence == Confidence.LOW
    assert [each.run_id for each in diagnosis.candidates][:1] == ["1"]


def test_a_trace_without_any_message_is_diagnosed_as_that() -> None:
    empty = Trace(id="t", name="t", runs=(Run(id="r", name="agent", kind="chain"),))
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(case(empty))
    assert diagnosis.responsible_run_id in {"r", None}
    assert diagnosis.root_cause


def test_a_record_without_any_run_is_diagnosed_as_that() -> None:
    asked = case(Trace(id="t", name="t", runs=()))
    analyst = BuiltinAnalyst()
    concluded = analyst.conclude(asked, (), analyst.find_gaps(asked, ()))
    assert concluded.root_cause is None
    assert concluded.responsible_run_id is None


def test_a_text_of_brackets_alone_stops_nobody() -> None:
    deep = did("get_data", {}, "[" * 100_000)
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(
        case(talk(user("Go."), deep, agent("There are 3 entries.")))
    )
    assert diagnosis.partial is None


def test_without_an_answer_the_gap_says_so() -> None:
    asked = case(Trace(id="t", name="t", runs=(Run(id="r", name="agent", kind="chain"),)))
    (gap,) = BuiltinAnalyst().find_gaps(asked, ()).gaps
    assert gap.actual == "The trace ends without an answer."


def test_what_is_at_stake_stands_in_the_summary() -> None:
    asked = case(talk(*STORY), expect=EXPECT, business_context="Clients complain.")
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(asked)
    assert "Why it matters: Clients complain." in diagnosis.executive_summary


def test_failed_checks_are_the_gaps() -> None:
    failed = CheckFailure(check="output", expected="no 'from now on'", actual="it is there", run_id="6")
    asked = case(talk(*STORY), expect=EXPECT, failures=(failed,))
    assert BuiltinAnalyst().find_gaps(asked, ()).gaps == (
        Gap(expected="no 'from now on'", actual="it is there", run_id="6"),
    )


def test_a_finding_that_the_engine_dropped_is_not_concluded_from() -> None:
    asked = case(talk(*STORY), expect=EXPECT)
    analyst = BuiltinAnalyst()
    gaps = analyst.find_gaps(asked, ())
    assert "promise" not in (analyst.conclude(asked, (), gaps).root_cause or "")
