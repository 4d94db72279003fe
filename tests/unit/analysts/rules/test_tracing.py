"""From each failed check back to the step where it entered."""

from __future__ import annotations

import pytest

from pytest_refinery.analysis.schemas import Confidence, FailureType
from tests.unit.analysts.rules.scenes import agent, diagnosed, did, rule_of, system, user

POLICY = {"policy_no": "HA-77", "holder": "Mira Vance", "excess": 250, "status": "active"}


def test_a_forbidden_text_leads_to_the_first_step_that_has_it() -> None:
    diagnosis = diagnosed(
        user("Is it worth it?"),
        agent("You ought to buy two of them."),
        user("And how do I pay?"),
        agent("By card. As I said, you ought to buy two of them."),
        checks=({"output": {"not_contains": "you ought to buy"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "said_first")


def test_a_forbidden_text_of_a_result_leads_to_the_call_that_the_user_asked_for() -> None:
    diagnosis = diagnosed(
        user("What did my colleague's claim KF-310 bring?"),
        did("open_claim", {"claim_no": "KF-310"}, {"claim_no": "KF-310", "paid": 940, "account_end": "7715"}),
        agent("It brought 940 EUR, to the account that ends in 7715."),
        checks=({"output": {"not_contains": "7715"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "brought_by_call")


def test_a_missing_text_leads_to_the_answer_that_left_it_out() -> None:
    diagnosis = diagnosed(
        user("What will I get for claim KF-310?"),
        did("estimate", {"claim_no": "KF-310"}, {"amount": 700, "note": "Needs a handler's signature."}),
        agent("You will get 700 EUR for your claim."),
        expect="The agent says that the claim needs a signature.",
        checks=({"output": {"contains": "signature"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("3", "left_out")
    assert diagnosis.root_cause is not None
    assert "Needs a handler's signature" in diagnosis.root_cause


def test_a_wrong_argument_leads_to_the_call_and_says_where_the_right_value_was_known() -> None:
    diagnosis = diagnosed(
        user("What will I get? My policy is HA-77, the damage is 900."),
        did("open_policy", {"policy_no": "HA-77"}, POLICY),
        did("work_out", {"damage": 900, "excess": 0}, {"amount": 900}),
        agent("You will get 900 EUR."),
        checks=({"tools": {"arguments": {"work_out": {"excess": 250}}}},),
    )
    assert diagnosis.responsible_run_id == "3"
    assert diagnosis.root_cause is not None
    assert "250 was known from step 3" in diagnosis.root_cause


def test_a_value_that_the_user_replaced_leads_to_its_first_use_after_that() -> None:
    diagnosis = diagnosed(
        user("Send it to Oakham 12345."),
        agent("To Oakham 12345, is that right?"),
        user("No, I meant 54321."),
        did("send_parcel", {"zip": "12345"}, {"state": "sent"}),
        agent("It is on its way."),
        checks=({"tools": {"arguments": {"send_parcel": {"zip": "54321"}}}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("3", "ignored_person")


def test_a_call_that_the_user_turned_to_leads_to_the_user() -> None:
    ring = {"order": "R-4410", "state": "open"}
    diagnosis = diagnosed(
        user("Please exchange order R-4410."),
        did("get_order", {"order": "R-4410"}, ring),
        agent("That model is sold out. Shall I wait for it?"),
        user("Then please cancel the order R-4410."),
        agent("I will cancel R-4410. Do you agree?"),
        user("Yes, cancel it."),
        did("cancel_order", {"order": "R-4410"}, ring | {"state": "cancelled"}),
        agent("It is cancelled."),
        expect="Nothing is cancelled.",
        checks=({"tools": {"not_called": "cancel_order"}},),
    )
    assert diagnosis.responsible_run_id == "6"
    assert rule_of(diagnosis) == "followed_request"


def test_a_limit_on_calls_of_a_service_that_is_down_leads_to_the_first_failure() -> None:
    down = "ConnectionError: timed out after 5 s"
    diagnosis = diagnosed(
        user("What does it cover?"),
        did("search", {"q": "cover"}, down),
        did("search", {"q": "what is covered"}, down),
        agent("I could not find that out."),
        checks=({"tools": {"at_most": {"search": 1}}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("2", "outage")
    assert diagnosis.failure_type is FailureType.INFRASTRUCTURE
    assert diagnosis.suggested_fix is None


def test_a_limit_on_calls_leads_to_the_first_call_above_it() -> None:
    found = diagnosed(
        user("Which doors does badge 71 open?"),
        did("find_doors", {"badge": "71"}, {"doors": ["north"]}),
        did("find_doors", {"badge": "071"}, {"doors": ["south"]}),
        did("find_doors", {"badge": "0071"}, {"doors": ["east"]}),
        did("find_doors", {"badge": "00071"}, {"doors": ["west"]}),
        agent("It opens the north door."),
        checks=({"tools": {"at_most": {"find_doors": 2}}},),
    )

    assert found.responsible_run_id == "5"
    assert "call number 3 where 2 may be made" in (found.root_cause or "")


def test_a_call_that_is_missing_leads_to_the_claim_that_it_was_made() -> None:
    diagnosis = diagnosed(
        user("Please cancel my booking."),
        agent("Your booking has been cancelled."),
        user("Thanks."),
        agent("Have a nice day."),
        checks=({"tools": {"called": "cancel_booking"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "claimed_without_call")


def test_an_order_of_calls_leads_to_the_call_that_came_too_early() -> None:
    diagnosis = diagnosed(
        user("Change both."),
        did("change_items", {"order": "R-4410"}, {"order": "R-4410", "state": "changed"}),
        did("change_address", {"order": "R-4410"}, {"order": "R-4410", "state": "changed"}),
        agent("Both are done."),
        checks=({"tools": {"in_order": ["change_address", "change_items"]}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "wrong_order")


def test_an_expectation_that_the_record_contradicts_is_doubted_before_anything_else() -> None:
    diagnosis = diagnosed(
        user("What is the excess of HA-77?"),
        did("open_policy", {"policy_no": "HA-77"}, POLICY),
        agent("The excess of HA-77 is 250 EUR."),
        expect="The agent says that the excess is 400 EUR.",
        checks=({"output": {"contains": "400 EUR"}},),
    )
    assert rule_of(diagnosis) == "contradicted_expectation"
    assert diagnosis.root_cause is not None
    assert diagnosis.root_cause.startswith("Check the expectation")
    assert diagnosis.suggested_fix is None
    assert diagnosis.confidence is not Confidence.HIGH


def test_a_record_of_something_else_does_not_contradict_the_expectation() -> None:
    diagnosis = diagnosed(
        user("What does a parcel to Norway cost?"),
        did("search", {"q": "parcel to Norway"}, "A parcel within the country costs 6.20 EUR."),
        agent("A parcel to Norway costs 6.20 EUR."),
        expect="The agent says that it costs 19.50 EUR.",
        checks=({"output": {"contains": "19.50"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "answered_from_wrong_source")


def test_what_no_rule_explains_is_not_determined_and_has_candidates() -> None:
    diagnosis = diagnosed(
        system("Answer politely."),
        user("Hello."),
        agent("Good morning, how can I help you today?"),
        checks=({"output": {"matches": "^Moin"}},),
    )
    assert diagnosis.root_cause is None
    assert diagnosis.failure_type is None
    assert diagnosis.responsible_run_id is None
    assert diagnosis.candidates[0].run_id == "2"
    assert "not determined" not in diagnosis.executive_summary


@pytest.mark.parametrize("tool", ["calculate_bonus", "estimate_bonus", "quote_bonus"])
def test_the_cause_does_not_depend_on_how_a_tool_is_called(tool: str) -> None:
    diagnosis = diagnosed(
        system("You help members."),
        user("What is my bonus for KF-310?"),
        did(tool, {"claim": "KF-310"}, {"bonus": 410}),
        agent("Your bonus for KF-310 amounts to the sum of 410 EUR."),
        expect="The answer is short.",
        checks=({"output": {"not_contains": "amounts to the sum of"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("4", "said_first")


def test_an_answer_after_an_outage_is_the_step_and_the_outage_its_reason() -> None:
    diagnosis = diagnosed(
        user("Is my lens covered? My policy is HA-77."),
        did("open_policy", {"policy_no": "HA-77"}, POLICY),
        did("search_terms", {"q": "lens"}, "TimeoutError: terms service gave no answer within 5 s"),
        did("search_terms", {"q": "lens damage"}, "TimeoutError: terms service gave no answer within 5 s"),
        agent("Yes, your lens is covered in full."),
        expect="If the terms cannot be found, the agent says so.",
        checks=({"output": {"not_contains": "covered in full"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("7", "went_on_after_failure")
    assert diagnosis.failure_type is FailureType.INFRASTRUCTURE
    assert diagnosis.suggested_fix is None
    assert {candidate.run_id for candidate in diagnosis.candidates} >= {"7", "4"}


def test_a_wish_at_the_end_that_the_agent_passes_over_is_the_step() -> None:
    diagnosis = diagnosed(
        user("Please water the ferns."),
        did("water_plants", {"which": "ferns"}, {"done": True}),
        agent("The ferns are watered."),
        user("Good. Close the blinds too, please."),
        agent("You are welcome, enjoy the evening!"),
        user("Hm."),
        expect="The blinds are closed.",
        checks=({"tools": {"called": "close_blinds"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("5", "wish_passed_over")


@pytest.mark.parametrize(
    ("tool", "result"),
    [
        ("quote_crane", {"price": 900}),
        ("hire_options", {"price": 900, "note": "Price only, nothing is reserved."}),
        ("prepare_hire", {"hire": "H-1", "booked": False}),
    ],
)
def test_what_a_quote_or_a_draft_returned_is_not_the_deed(tool: str, result: dict[str, object]) -> None:
    diagnosis = diagnosed(
        user("Please book the crane for Monday."),
        did(tool, {"day": "monday"}, result),
        agent("The crane is booked for Monday."),
        expect="The crane is really booked.",
        checks=({"tools": {"called": "book_crane"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("3", "claimed_without_call")
    assert diagnosis.root_cause is not None
    assert tool in diagnosis.root_cause


@pytest.mark.parametrize("query", ["opening hours", "opening hours planetarium"])
def test_a_search_whose_result_says_nothing_of_the_question_is_the_step(query: str) -> None:
    diagnosis = diagnosed(
        user("When does the planetarium open?"),
        did("search_pages", {"q": query}, "Opening hours of the museum: daily from 10:00."),
        agent("It opens daily from 10:00."),
        expect="The agent says that the planetarium opens at 19:30.",
        checks=({"output": {"contains": "19:30"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "answered_from_wrong_source")
    assert diagnosis.root_cause is not None
    assert "planetarium" in diagnosis.root_cause


def test_a_question_about_a_change_that_is_then_made_leads_to_the_call() -> None:
    diagnosis = diagnosed(
        user("What would happen if I cancelled my subscription S-771?"),
        did("cancel_subscription", {"id": "S-771"}, {"id": "S-771", "ends": "2026-05-31"}),
        agent("Your subscription S-771 ends on 31 May 2026."),
        expect="The agent explains it and cancels nothing.",
        checks=({"output": {"not_contains": "subscription S-771 ends"}},),
    )
    assert (diagnosis.responsible_run_id, rule_of(diagnosis)) == ("1", "acted_on_question")


def test_an_account_that_the_prompt_lists_is_not_called_invented() -> None:
    diagnosis = diagnosed(
        system("The client's accounts:\n- KX-310-04: joint savings\n- KX-310-09: custody account"),
        user("What is in my custody account?"),
        did("read_account", {"account": "KX-310-04"}, {"total": 12.5}),
        agent("There is 12.50 in it."),
        checks=({"tools": {"arguments": {"read_account": {"account": "KX-310-09"}}}},),
    )
    assert diagnosis.responsible_run_id == "2"
    assert diagnosis.root_cause is not None
    assert "no message" not in diagnosis.root_cause
    assert "custody account" in diagnosis.root_cause


def test_a_pattern_that_matches_an_answer_whole_objects_to_no_words_of_it() -> None:
    diagnosis = diagnosed(
        user("What is the fee?"),
        agent("The fee is paid by you. It is due at once."),
        checks=({"output": {"not_matches": r"(?s)^(?!.*45).*$"}},),
    )
    assert "said_first" not in {finding.rule for finding in diagnosis.findings}
