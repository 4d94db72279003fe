"""A suggested fix is a rule against a kind of mistake, and carries nothing of the case."""

from __future__ import annotations

import re

import pytest

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysts.rules import fixes
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import prompts
from tests.data_paths import require

# Where facts or arithmetic were wrong, a service was down or the expectation may be, no prompt helps.
NO_FIX = frozenset(
    {"contradicted_expectation", "outage", "went_on_after_failure", "miscounted", "other_count", "wrong_extreme"}
    | {"invented_value", "said_first", "said_instead", "wrong_record", "value_of_another_record", "stale_record"}
    | {"wrong_argument", "wrong_choice", "followed_request", "failed_run", "lost_answer", "origin_of_answer"}
)


@pytest.mark.parametrize("rule", sorted(fixes.RULES))
def test_a_fix_is_a_plain_sentence_without_any_value_or_place_for_one(rule: str) -> None:
    assert re.fullmatch(r"[A-Z][a-z' ,;:.]*(?:[A-Za-z' ,;:.])*\.", fixes.RULES[rule]), fixes.RULES[rule]


def test_facts_arithmetic_and_outages_have_no_fix() -> None:
    assert not NO_FIX & set(fixes.RULES)


@pytest.mark.parametrize("folder", ["langsmith_tau/nested", "who_and_when/Algorithm-Generated"])
def test_what_is_suggested_on_real_traces_is_one_of_the_rules_and_nothing_else(folder: str) -> None:
    paths = sorted(require(*folder.split("/")).glob("*.json*"))[:8]
    for path in paths:
        trace = JsonFiles().load(path.name, base=path.parent)
        case = Case(trace=trace, expect="The agent does all that the user asked for.", prompts=prompts.extract(trace))
        fix = Engine(RulesAnalyst(), Limits()).diagnose(case).suggested_fix
        assert fix is None or fix.after.removeprefix(fix.before).strip().removeprefix("- ") in fixes.RULES.values()
