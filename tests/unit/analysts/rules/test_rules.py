"""Each rule on a conversation where it applies, and on one where it does not."""

from __future__ import annotations

import pytest

from pytest_refinery.analysts.rules.rules import changes, endings, failures, figures, promises, requests, teams
from tests.unit.analysts.rules.scenes import agent, did, found, system, user

ORDER = {"order_id": "R-4410", "status": "open", "items": [{"name": "Kettle", "item_id": "K-11111"}]}


def test_a_promise_for_later_is_found_where_nothing_keeps_it() -> None:
    asked = user("Leave out the fees, please.")
    promise = agent("I will leave them out from now on.")
    assert found(promises.lasting_promises, asked, promise) == [("1", "lasting_promise")]
    assert found(promises.lasting_promises, asked, agent("I cannot leave them out from now on.")) == []
    kept = did("save_preference", {"fees": "no"}, {"saved": True})
    assert found(promises.lasting_promises, asked, kept, promise) == []


@pytest.mark.parametrize(
    "promise",
    [
        "Ich werde das ab jetzt immer weglassen.",
        "Je vais les exclure à partir de maintenant.",
        "A partir de ahora lo voy a excluir siempre.",
        "Zal ik doen: ik laat ze voortaan weg.",
    ],
)
def test_promises_are_known_in_other_languages(promise: str) -> None:
    assert found(promises.lasting_promises, user("?"), agent(promise)) == [("1", "lasting_promise")]


def test_a_claim_is_found_where_no_call_can_have_done_it() -> None:
    asked = user("Cancel R-4410.")
    claim = agent("Your order has been cancelled.")
    look = did("get_order", {"order_id": "R-4410"}, ORDER)
    cancel = did("cancel_order", {"order_id": "R-4410"}, ORDER | {"status": "cancelled"})
    assert found(promises.claims_without_a_call, asked, look, claim) == [("3", "claimed_without_call")]
    assert found(promises.claims_without_a_call, asked, look, cancel, claim) == []


def test_an_answer_after_a_failed_call_is_found_unless_it_says_so() -> None:
    asked = user("How much was it in 2025?")
    down = did("get_statement", {"year": 2025}, "Error: 503 service unavailable")
    assert found(failures.answers_after_failures, asked, down, agent("It was 4,310 EUR.")) == [
        ("3", "went_on_after_failure")
    ]
    assert found(failures.answers_after_failures, asked, down, agent("I am sorry, the service is unavailable.")) == []
    again = did("get_statement", {"year": 2025, "retry": True}, {"year": 2025, "sum": 4310})
    assert found(failures.answers_after_failures, asked, down, again, agent("It was 4,310 EUR.")) == []


def test_a_change_that_rules_out_the_next_one_is_found() -> None:
    first = did("update_items", {"order_id": "R-4410"}, ORDER | {"status": "updated"})
    second = did("update_address", {"order_id": "R-4410"}, "Error: the status does not allow it")
    assert found(failures.closed_doors, user("Change both."), first, second) == [("1", "closed_door")]


def test_a_call_is_repeated_only_where_nothing_changed_between() -> None:
    look = did("get_order", {"order_id": "R-4410"}, ORDER)
    change = did("update_items", {"order_id": "R-4410"}, ORDER | {"status": "updated"})
    assert found(failures.repeated_calls, user("?"), look, look) == [("3", "repeated_call")]
    assert found(failures.repeated_calls, user("?"), look, change, look) == []


def test_a_figure_from_nowhere_is_found_and_a_sum_is_not() -> None:
    result = did("get_costs", {}, {"freight": 120.5, "tax": 33.25})
    asked = user("What does it cost?")
    assert found(figures.invented_values, asked, result, agent("It costs 188.10 EUR.")) == [("3", "invented_value")]
    assert found(figures.invented_values, asked, result, agent("It costs 153.75 EUR.")) == []
    assert found(figures.invented_values, asked, result, agent("It costs 120.50 and 33.25.")) == []


def test_digits_of_dates_times_and_ids_are_no_figures() -> None:
    result = did("get_visit", {"id": "V-2031"}, {"id": "V-2031", "at": "2026-04-17T09:45:00"})
    answer = agent("Visit V-2031 is on 17 April 2026 at 9:45.")
    assert found(figures.invented_values, user("When is V-2031?"), result, answer) == []


def test_entries_are_counted() -> None:
    listed = {"a": {"available": True}, "b": {"available": False}, "c": {"available": True}}
    asked, result = user("How many are there?"), did("list_models", {}, listed)
    assert found(figures.miscounts, asked, result, agent("There are 3 available models.")) == [("3", "miscounted")]
    assert found(figures.miscounts, asked, result, agent("There are 2 available models.")) == []


def test_the_cheapest_is_looked_up_again() -> None:
    listed = {"a": {"price": 12.5, "available": True}, "b": {"price": 9.0, "available": False}, "c": {"price": 11.0}}
    asked, result = user("Which is the cheapest?"), did("list_models", {}, listed)
    wrong = agent("The cheapest one costs 12.50 EUR.")
    assert found(figures.wrong_extremes, asked, result, wrong) == [("3", "wrong_extreme")]
    assert found(figures.wrong_extremes, asked, result, agent("The cheapest one costs 11 EUR.")) == []


def test_a_figure_of_another_record_is_found() -> None:
    one = did("get_order", {"order_id": "R-4410"}, {"order_id": "R-4410", "total": 88.4})
    other = did("get_order", {"order_id": "R-4411"}, {"order_id": "R-4411", "total": 51.9})
    wrong = agent("Order R-4410 comes to 51.90 EUR.")
    assert found(figures.wrong_records, user("What do they cost?"), one, other, wrong) == [("5", "wrong_record")]
    assert found(figures.wrong_records, user("?"), one, other, agent("Order R-4410 comes to 88.40 EUR.")) == []


def test_a_state_that_has_changed_since_is_found() -> None:
    look = did("get_order", {"order_id": "R-4410"}, ORDER)
    change = did("cancel_order", {"order_id": "R-4410"}, ORDER | {"status": "cancelled"})
    stale = agent("Your order R-4410 is still open now.")
    assert found(figures.wrong_records, user("?"), look, change, stale) == [("5", "stale_record")]


def test_the_same_change_twice_is_found() -> None:
    refund = did("refund_order", {"order_id": "R-4410"}, {"order_id": "R-4410", "status": "refunded"})
    assert found(changes.duplicate_changes, user("Refund R-4410."), refund, refund) == [("3", "duplicate_change")]
    assert found(changes.duplicate_changes, user("Refund R-4410."), refund) == []


def test_a_change_needs_the_yes_that_the_prompt_demands() -> None:
    rule = system("Before you cancel or change anything, obtain the user's explicit confirmation first.")
    cancel = did("cancel_order", {"order_id": "R-4410"}, ORDER | {"status": "cancelled"})
    asked = user("I want to get rid of R-4410.")
    assert found(changes.unconfirmed_changes, rule, asked, cancel) == [("2", "unconfirmed_change")]
    question = agent("I will cancel R-4410. Do you confirm?")
    assert found(changes.unconfirmed_changes, rule, asked, question, user("Yes, please."), cancel) == []
    assert found(changes.unconfirmed_changes, asked, cancel) == []


def test_an_id_that_nobody_named_is_found_unless_question_or_prompt_has_it() -> None:
    call = did("get_order", {"order_id": "R-9999"}, "Error: not found")
    assert found(changes.invented_arguments, user("Where is my order?"), call) == [("1", "invented_argument")]
    assert found(changes.invented_arguments, user("Where is r-9999?"), call) == []
    assert found(changes.invented_arguments, system("The test order is R-9999."), user("?"), call) == []


def test_another_record_than_the_named_one_is_found() -> None:
    asked = user("Where is order R-4410?")
    wrong = did("get_order", {"order_id": "R-4401"}, ORDER)
    assert found(changes.other_records, asked, wrong, agent("It is on its way.")) == [("1", "other_record")]
    right = did("get_order", {"order_id": "R-4410"}, ORDER)
    assert found(changes.other_records, asked, wrong, right) == []


def test_a_hand_over_to_another_agent_is_none_to_a_person() -> None:
    to_person = did("transfer_to_human_agent", {"summary": "x"}, "done")
    assert found(changes.early_handovers, user("?"), to_person) == [("1", "early_handover")]
    to_agent = did("transfer_to_billing_agent", {}, "done")
    assert found(changes.early_handovers, user("?"), to_agent, agent("I am the billing desk.", "billing")) == []


def test_what_is_marked_as_not_to_be_had_is_found() -> None:
    listed = did("list_models", {}, {"M-11111": {"model_id": "M-11111", "available": False}})
    order = did("order_model", {"model_id": "M-11111"}, {"status": "ordered"})
    assert found(changes.unavailable_choices, user("One, please."), listed, order) == [("3", "unavailable_choice")]


def test_a_refusal_without_any_call_is_found() -> None:
    look = did("get_order", {"order_id": "R-4410"}, ORDER)
    refusal = agent("Unfortunately, I cannot find your address.")
    asked = user("Can you take the address from my last order?")
    assert found(requests.refusals_without_looking, user("Hi"), look, asked, refusal) == [
        ("4", "refused_without_looking")
    ]
    assert found(requests.refusals_without_looking, asked, look, refusal) == []


def test_an_empty_answer_and_broken_json_are_found() -> None:
    assert found(endings.empty_answers, user("Hello."), agent("")) == [("1", "empty_answer")]
    assert found(endings.unreadable_outputs, user("As JSON."), agent('{"a": 1, "b"')) == [("1", "unreadable_output")]
    assert found(endings.unreadable_outputs, user("As JSON."), agent('{"a": 1}')) == []


def test_made_up_data_of_a_team_is_found_and_a_warning_against_it_is_not() -> None:
    task, plan = agent("What was the mean in 2019?", "Asker"), agent("We should look it up.", "Planner")
    made_up = agent("Let us use placeholder values: 12 and 15.", "Worker")
    assert found(teams.assumed_data, task, plan, made_up) == [("2", "assumed_data")]
    assert found(teams.assumed_data, task, plan, agent("Do not use placeholder values.", "Worker")) == []


def test_facts_without_any_source_are_found_in_a_team() -> None:
    task = agent("How high is the tower?", "Asker")
    told = agent("The tower is 312 m high.", "Worker")
    assert found(teams.unsourced_answers, task, told) == [("1", "unsourced_answer")]
