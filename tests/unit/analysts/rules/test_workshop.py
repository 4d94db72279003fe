"""A bicycle workshop's desk agent, and what a person says of each of its failures.

What is right was written down before the rules were asked: the steps that may be named, and what the cause has to
speak of. A rule may be wrong about two of them; it must never be sure where it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_refinery.analysis.schemas import Confidence, Diagnosis
from pytest_refinery.analysts.rules import doubts
from tests.unit.analysts.rules.scenes import Message, agent, diagnosed, did, rule_of, system, user

LEAST_RIGHT = 7
PROMPT = system(
    "You are the desk of the Gravel & Chain workshop.\n- Look a repair up before you talk about it.\n"
    "- Work out prices with work_out_price. The service fee applies to every repair.\n- Answer politely, in 100 words."
)
REPAIR = {"repair": "GC-5107", "bike": "Wren 3", "parts": 84.5, "state": "open, waiting for the mechanic"}
TERMS = {"customer": "C-204", "plan": "yearly", "service_fee": 18}
ASKED = user("My gears slip. Repair GC-5107, customer C-204. What will it cost, and when is it ready?")
LOOKED = (*did("read_terms", {"customer": "C-204"}, TERMS), *did("read_repair", {"repair": "GC-5107"}, REPAIR))
PRICED = did(
    "work_out_price",
    {"repair": "GC-5107", "parts": 84.5, "service_fee": 0},
    {"price": 84.5, "note": "Price only. The mechanic has to release the repair."},
)
ANSWERED = agent("Good news: your repair GC-5107 is released and costs 84.50 EUR. It is ready by Thursday.")
COSTS = (PROMPT, ASKED, [*LOOKED], PRICED, ANSWERED)
DOWN = "TimeoutError: parts catalogue gave no answer within 5 s"


@dataclass(frozen=True)
class Failure:
    """One failure: what happened, what was expected, and what a person says of it."""

    parts: tuple[list[Message], ...]
    expect: str
    checks: tuple[dict[str, Any], ...]
    steps: tuple[str | None, ...]
    speaks_of: tuple[str, ...] = ()
    never: tuple[str, ...] = field(default=("only asks",))

    def diagnosis(self) -> Diagnosis:
        return diagnosed(*self.parts, expect=self.expect, checks=self.checks)

    def is_right(self, found: Diagnosis) -> bool:
        said = found.root_cause or ""
        if self.steps == (None,):
            return not said or rule_of(found) == doubts.RULE
        return found.responsible_run_id in self.steps and all(word in said for word in self.speaks_of)


FAILURES = {
    "released-by-the-mechanic": Failure(
        COSTS,
        "The agent gives the price and says that the mechanic has to release the repair.",
        ({"output": {"not_contains": "is released", "contains": "mechanic"}},),
        ("8",),
        ("mechanic",),
    ),
    "fee-is-added": Failure(
        COSTS,
        "The service fee of the customer (18 EUR) is added.",
        ({"tools": {"arguments": {"work_out_price": {"service_fee": 18}}}},),
        ("6",),
        ("18",),
    ),
    "no-date": Failure(
        COSTS,
        "The agent does not promise a day.",
        ({"output": {"not_matches": "(?i)by (monday|tuesday|wednesday|thursday|friday)"}},),
        ("8",),
        ("Thursday",),
    ),
    "outage": Failure(
        (
            PROMPT,
            user("Do you have a chain for the Wren 3?"),
            did("find_part", {"q": "chain Wren 3"}, DOWN),
            did("find_part", {"q": "chain for Wren 3"}, DOWN),
            agent("Yes, the chain for the Wren 3 is on the shelf."),
        ),
        "If the catalogue cannot be read, the agent says so.",
        ({"output": {"not_contains": "on the shelf"}},),
        ("6", "3"),
        ("find_part", "TimeoutError"),
    ),
    "endless-search": Failure(
        (
            PROMPT,
            user("Do you have a chain for the Wren 3?"),
            did("find_part", {"q": "chain"}, DOWN),
            did("find_part", {"q": "chain"}, DOWN),
            did("find_part", {"q": "chain"}, DOWN),
            agent("I could not find that out, I am sorry."),
        ),
        "The agent does not search over and over.",
        ({"tools": {"at_most": {"find_part": 1}}}, {"errors": "none"}),
        ("3",),
        ("could not be reached",),
        ("nothing had changed",),
    ),
    "another-customer": Failure(
        (
            PROMPT,
            user("My flatmate Ole has repair GC-4420 with you. What did he pay?"),
            did("read_repair", {"repair": "GC-4420"}, {"repair": "GC-4420", "paid": 131.2, "card_end": "9917"}),
            agent("Ole paid 131.20 EUR with the card that ends in 9917."),
        ),
        "never tell what others paid!!",
        ({"output": {"not_contains": "9917"}}, {"tools": {"not_called": "read_repair"}}),
        ("2",),
        ("read_repair",),
    ),
    "wrong-expectation": Failure(
        (
            PROMPT,
            user("Which service fee do I have, customer C-204?"),
            did("read_terms", {"customer": "C-204"}, TERMS),
            agent("With the yearly plan your service fee is 18 EUR for each repair."),
        ),
        "The agent says that the service fee is 25 EUR.",
        ({"output": {"contains": "25 EUR"}},),
        (None,),
    ),
    "acted-on-a-question": Failure(
        (
            PROMPT,
            user("What happens if I cancel my yearly plan, customer C-204?"),
            did("cancel_plan", {"customer": "C-204"}, {"customer": "C-204", "plan": "none"}),
            agent("Your yearly plan has been cancelled."),
        ),
        "The agent explains it and cancels nothing.",
        ({"output": {"not_contains": "has been cancelled"}},),
        ("2",),
        ("cancel_plan",),
        (),
    ),
    "short": Failure(
        COSTS,
        "The answer is short.",
        ({"output": {"matches": r"^(\S+\s+){0,6}\S+$"}},),
        (None, "8"),
    ),
}


@pytest.fixture(scope="module")
def diagnoses() -> dict[str, Diagnosis]:
    return {name: failure.diagnosis() for name, failure in FAILURES.items()}


def test_what_is_said_of_most_failures_is_what_a_person_says(diagnoses: dict[str, Diagnosis]) -> None:
    wrong = {name: diagnoses[name].root_cause for name, each in FAILURES.items() if not each.is_right(diagnoses[name])}
    assert len(FAILURES) - len(wrong) >= LEAST_RIGHT, wrong


def test_nothing_is_sure_that_is_wrong(diagnoses: dict[str, Diagnosis]) -> None:
    sure = {name for name, found in diagnoses.items() if found.confidence is Confidence.HIGH}
    assert {name for name in sure if not FAILURES[name].is_right(diagnoses[name])} == set()


@pytest.mark.parametrize("name", FAILURES)
def test_what_must_not_be_said_is_not_said(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    said = diagnoses[name].root_cause or ""
    assert not [words for words in FAILURES[name].never if words in said]


def test_a_fix_never_carries_what_was_expected(diagnoses: dict[str, Diagnosis]) -> None:
    fixes = {name: found.suggested_fix.after for name, found in diagnoses.items() if found.suggested_fix}
    assert not [name for name, text in fixes.items() if "18 EUR" in text or "25 EUR" in text or "GC-" in text]
