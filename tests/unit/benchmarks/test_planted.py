from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.accuracy.planted import answers, calls, cases, expectations, formats
from benchmarks.accuracy.planted.talks import Talk, passing
from tests.data_paths import require

if TYPE_CHECKING:
    from benchmarks.accuracy.labelled import Labelled
    from benchmarks.accuracy.planted.planted import Plant

DRAW = Random(1)  # noqa: S311  (repeatable, no secret)
_ORDER = {
    "order_id": "#W100",
    "items": [
        {"name": "Lamp", "item_id": "11", "price": 30.5},
        {"name": "Chair", "item_id": "12", "price": 81.25},
    ],
    "status": "delivered",
}
_METHODS = {"gift_card_1": {"source": "gift_card"}, "paypal_1": {"source": "paypal"}}
_ARGUMENTS = {"order_id": "#W100", "item_ids": ["11", "12"], "payment_method_id": "paypal_1"}
_RETURNED = {
    **_ORDER,
    "status": "return requested",
    "return_items": ["11", "12"],
    "return_payment_method_id": "paypal_1",
}


# The message itself is as it was; what stands before it makes it wrong.
_RIGHT_AT_ANOTHER_TIME = (
    calls.no_confirmation,
    calls.claimed_without_call,
    calls.preview_for_the_deed,
    calls.ignored_correction,
    answers.outage_gone_over,
)


def _called(name: str, arguments: object, result: object) -> list[dict[str, Any]]:
    call = {"id": f"call_{name}", "function": {"name": name, "arguments": json.dumps(arguments)}}
    content = result if isinstance(result, str) else json.dumps(result)
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "name": name, "content": content},
    ]


def talk() -> Talk:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Ask for confirmation before each change."},
        {"role": "user", "content": "I want to return order #W100 and get the money on PayPal."},
        *_called("get_user_details", {"user_id": "u1"}, {"payment_methods": _METHODS}),
        *_called("get_order_details", {"order_id": "#W100"}, _ORDER),
        {
            "role": "assistant",
            "content": "The lamp was 30.50, the chair 81.25. Shall I proceed with PayPal? Please confirm.",
        },
        {"role": "user", "content": "Yes, please."},
        *_called("return_delivered_order_items", _ARGUMENTS, _RETURNED),
        {"role": "assistant", "content": "Done, you get both amounts back."},
    ]
    return Talk("made", tuple(messages), frozenset({"return_delivered_order_items"}))


@pytest.mark.parametrize(
    ("plant", "step"),
    [
        (calls.wrong_argument, 8),
        (calls.omitted_item, 8),
        (calls.no_confirmation, 6),
        (calls.claimed_without_call, 8),
        (calls.duplicate_change, 10),
        (calls.early_handover, 6),
        (calls.refused, 6),
        (calls.ignored_correction, 8),
        (calls.invented_id, 4),
        (calls.last_wish_passed_over, 12),
        (calls.preview_for_the_deed, 10),
        (calls.wrong_article, 12),
        (answers.wrong_figure, 6),
        (answers.outage_gone_over, 6),
        (answers.lasting_promise, 12),
        (answers.stale_record, 12),
        (answers.miscounted, 12),
    ],
)
def test_each_kind_knows_the_step_that_it_made_wrong(plant: Plant, step: int) -> None:
    found = list(plant(talk(), DRAW))
    assert {one.step for one in found} == {step}
    for one in found:
        said = [each for each in one.messages[:step] if each["role"] == "assistant" and each["content"]]
        assert all(message in talk().messages for message in said)
        assert one.messages[step] not in talk().messages or plant in _RIGHT_AT_ANOTHER_TIME


def test_the_conversation_itself_is_left_as_it_was() -> None:
    conversation = talk()
    for plant in cases.KINDS.values():
        list(plant(conversation, DRAW))
    assert conversation == talk()


def test_what_the_tool_recorded_follows_a_wrong_argument() -> None:
    (found,) = calls.wrong_argument(talk(), DRAW)
    assert '"return_payment_method_id": "gift_card_1"' in found.messages[9]["content"]
    assert '"paypal_1"' not in found.messages[8]["tool_calls"][0]["function"]["arguments"]


def test_a_wrong_figure_is_repeated_later_and_stands_in_no_record() -> None:
    for found in answers.wrong_figure(talk(), DRAW):
        wrong = found.checks[1]["output"]["not_contains"]
        assert wrong in found.messages[6]["content"]
        assert wrong not in json.dumps(found.messages[:6])


def test_after_an_outage_no_result_is_left() -> None:
    (found,) = answers.outage_gone_over(talk(), DRAW)
    assert "30.5" not in json.dumps(found.messages[:6])


@pytest.mark.parametrize(
    "plant",
    [
        expectations.wrong_expectation,
        expectations.asked_for_something_else,
        expectations.withdrawn,
        expectations.forbidden,
    ],
)
def test_nothing_is_wrong_where_the_expectation_is(plant: Plant) -> None:
    found = list(plant(talk(), DRAW))
    assert found
    assert {one.step for one in found} == {None}


def test_all_errors_in_a_conversation_are_in_the_same_half() -> None:
    assert {cases.half(f"shop {number}") for number in range(20)} == set(cases.HALVES)
    assert cases.half("shop 7") == cases.half("shop 7")


@pytest.fixture(scope="module")
def development() -> list[Labelled]:
    return cases.read(require("tau_passing").parent)


def test_every_case_fails_a_check_of_its_own(development: list[Labelled]) -> None:
    assert [one.name for one in development if not one.failures] == []


def test_each_german_conversation_carries_every_kind_and_fails_its_checks() -> None:
    found = cases.read_german()
    assert {one.kind for one in found} == set(cases.KINDS) - {"omitted item"}
    assert [one.name for one in found if not one.failures] == []
    assert {one.speakers[one.decisive] for one in found if one.decisive is not None} == {"Assistant"}


def test_a_german_error_stands_nowhere_before_its_step() -> None:
    for one in cases.read_german():
        if one.kind == "wrong figure" and one.decisive is not None:
            (wrong,) = one.checks[-1].argument.not_contains
            assert wrong in one.texts[one.decisive]
            assert wrong not in " ".join(one.texts[: one.decisive])


def test_the_known_step_is_one_of_the_agent(development: list[Labelled]) -> None:
    speakers = {one.speakers[one.decisive] for one in development if one.decisive is not None}
    assert speakers == {"Assistant"}


def test_the_development_half_has_every_kind(development: list[Labelled]) -> None:
    assert {one.kind for one in development} == set(cases.KINDS)


def test_a_seed_gives_the_same_cases_and_another_seed_others() -> None:
    conversations = list(passing(require("tau_passing")))
    assert list(cases.planted(conversations)) == list(cases.planted(conversations))
    assert list(cases.planted(conversations)) != list(cases.planted(conversations, seed=2))


@pytest.mark.parametrize("form", list(formats.FORMATS))
def test_every_format_has_a_run_for_each_message_of_the_agent(form: str) -> None:
    found = dict(cases.planted(passing(require("tau_passing"))))
    for name, planted in {one.kind: (name, one) for name, one in found.items()}.values():
        one = cases.labelled(name, planted, form=form)
        spoken = [run for run, who in zip(one.run_ids, one.speakers, strict=True) if who in {"Assistant", "Tool"}]
        assert None not in spoken
        assert set(spoken) <= set(one.trace.by_id)
        assert one.failures, one.name
