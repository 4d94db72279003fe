"""The analyst as the engine asks it."""

from __future__ import annotations

import gc
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import Confidence, GapAnalysis
from pytest_refinery.analysts.rules import causes, confidence, fixes
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces.model import Trace
from tests.unit.analysts.rules.scenes import agent, case, diagnosed, did, group, rule_of, system, talk, user

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[4] / "examples" / "support_agent" / "traces"
PROMISE = (user("Leave out the fees."), agent("I will leave them out from now on."))
CHECK = ({"output": {"not_contains": "from now on"}},)


def test_it_names_the_step_the_cause_the_quote_and_what_it_rests_on() -> None:
    diagnosis = diagnosed(*PROMISE, checks=CHECK)
    assert diagnosis.responsible_run_id == "1"
    assert rule_of(diagnosis) == "lasting_promise"
    assert [each.quote for each in diagnosis.evidence if each.verified] == ["I will leave them out from now on."]
    assert "lasting_promise" in diagnosis.confidence_basis
    assert diagnosis.coverage.percentage == 100.0


def test_what_explains_nothing_is_only_noticed() -> None:
    look = did("get_order", {"order_id": "R-4410"}, {"order_id": "R-4410"})
    diagnosis = diagnosed(user("?"), look, look, user("Leave out the fees."), PROMISE[1], checks=CHECK)
    noticed = {finding.rule: finding.explains for finding in diagnosis.findings}
    assert noticed["repeated_call"] == ()
    assert noticed["lasting_promise"] == ("output.not_contains 'from now on'",)


def test_a_conversation_in_which_nothing_is_wrong_has_no_cause() -> None:
    diagnosis = diagnosed(user("Hello."), agent("Good morning."))
    assert (diagnosis.root_cause, diagnosis.failure_type) == (None, None)


def test_an_empty_trace_is_said_to_hold_nothing() -> None:
    empty = Trace(id="t", name="empty", runs=())
    conclusion = RulesAnalyst().conclude(case(empty), (), GapAnalysis())
    assert conclusion.root_cause is None
    assert "nothing to read" in conclusion.executive_summary


def test_each_case_is_read_once_and_its_own() -> None:
    analyst = RulesAnalyst()
    one, other = case(talk(*PROMISE)), case(talk(user("Hello."), agent("Good morning.")))
    assert analyst.analyse_group(one, group("0", "1")).findings
    assert not analyst.analyse_group(other, group("0", "1")).findings
    assert analyst.analyse_group(one, group("0")).findings == ()


def test_the_fix_goes_into_the_prompt_file_of_the_agent_that_acted() -> None:
    files = (
        PromptFile("prompts/kitchen.md", "You plan menus for the canteen.\n- Use what is in season."),
        PromptFile("prompts/desk.md", "You answer questions about accounts.\n- Be brief."),
    )
    trace = talk(system("You answer questions about accounts. Be brief."), *PROMISE)
    diagnosis = Engine(RulesAnalyst(), Limits()).diagnose(case(trace, checks=CHECK, prompt_files=files))
    assert diagnosis.suggested_fix is not None
    assert diagnosis.suggested_fix.file == "prompts/desk.md"
    assert diagnosis.suggested_fix.after.startswith("- Be brief.\n- You have no memory")


@pytest.mark.parametrize(
    ("counts", "level"),
    [
        ({"a": (19, 20)}, Confidence.HIGH),
        ({"a": (9, 10), "b": (10, 10)}, Confidence.HIGH),
        ({"a": (13, 15)}, Confidence.MEDIUM),
        ({"a": (16, 20)}, Confidence.MEDIUM),
        ({"a": (9, 9)}, Confidence.MEDIUM),
        ({"a": (7, 10)}, Confidence.MEDIUM),
        ({"a": (4, 10)}, Confidence.LOW),
        ({"a": (4, 4)}, Confidence.LOW),
        ({"a": (20, 20), "b": (2, 5)}, Confidence.MEDIUM),
        ({"generated teams": (20, 20)}, Confidence.LOW),
        ({}, Confidence.LOW),
    ],
)
def test_confidence_is_what_was_measured(counts: dict[str, tuple[int, int]], level: Confidence) -> None:
    assert confidence.of("some_rule", {"some_rule": counts}, is_team=False)[0] is level


def test_confidence_is_never_high_for_a_led_team_or_a_doubted_expectation() -> None:
    precision = {"some_rule": {"hand-crafted team": (20, 20)}, "contradicted_expectation": {"a": (20, 20)}}
    assert confidence.of("some_rule", precision, is_team=True, is_led=True)[0] is Confidence.MEDIUM
    assert confidence.of("contradicted_expectation", precision, is_team=False)[0] is Confidence.MEDIUM


def test_an_unknown_language_is_said_and_lowers_the_confidence() -> None:
    analyst = RulesAnalyst({"said_first": {"a": (20, 20)}})
    trace = talk(user("Hvad koster pakken?"), agent("Pakken koster altid 999 kroner og kommer straks."))
    asked = case(trace, expect="", checks=({"output": {"not_contains": "straks"}},))
    diagnosis = Engine(analyst, Limits()).diagnose(asked)
    assert diagnosis.confidence is Confidence.LOW
    assert "no words of the language" in diagnosis.confidence_basis


def test_every_rule_with_a_fix_or_a_measured_precision_has_a_meaning() -> None:
    known = set(causes._CAUSES)  # noqa: SLF001  (the table itself is what is tested)
    assert set(fixes.RULES) <= known
    assert set(confidence.shipped()) <= known


def test_a_long_trace_takes_no_time_worth_mentioning() -> None:
    look = [did("get_order", {"order_id": f"R-{n}"}, {"order_id": f"R-{n}", "total": n * 1.25}) for n in range(54)]
    parts = [part for made in look for part in (made, agent("One moment."))]
    trace = talk(user("Add them up."), *parts)
    gc.collect()
    started = time.process_time()
    Engine(RulesAnalyst(), Limits()).diagnose(case(trace, checks=({"output": {"contains": "7"}},)))
    assert len(trace.runs) == 163
    assert time.process_time() - started < 3


@pytest.mark.parametrize("write", ["\n".join, json.dumps], ids=["lines", "one line of JSON"])
def test_a_history_that_is_rendered_into_each_prompt_is_read_once(write: Callable[[list[str]], str]) -> None:
    lines = [f"{n}: the user asked for entry {n * 37} and was told that it is {n * 11}." for n in range(400)]
    turns = [part for n in range(60) for part in (user(write(lines[: n * 6])), agent(f"Entry {n}."))]
    read = TraceFacts.of(case(talk(*turns)))
    assert sum(map(len, read.fresh)) < 3 * len("\n".join(lines))
    started = time.process_time()
    Engine(RulesAnalyst(), Limits()).diagnose(case(read.case.trace, checks=({"output": {"contains": "nothing"}},)))
    assert time.process_time() - started < 6


def test_a_step_in_a_sentence_has_the_number_that_every_report_gives_it() -> None:
    trace = JsonFiles().load("ira-balance.json", base=EXAMPLES)
    wanted = ({"tools": {"arguments": {"get_portfolio": {"account": "NM-4471-22"}}}},)
    found = Engine(RulesAnalyst(), Limits()).diagnose(case(trace, checks=wanted))
    assert found.root_cause is not None
    assert f"in step {found.responsible_run_number} the agent calls get_portfolio" in found.root_cause
    (asked,) = (int(number) for number in re.findall(r"\(step (\d+)\)", found.root_cause))
    assert "How much money is in my IRA right now?" in json.dumps([trace.runs[asked - 1].inputs])
