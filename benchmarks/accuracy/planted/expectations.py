"""Nothing is wrong with the conversation: the expectation contradicts what the records say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.accuracy.planted import answers, records
from benchmarks.accuracy.planted.planted import Planted, anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from benchmarks.accuracy.planted.talks import Talk

KIND = "wrong expectation"


def wrong_expectation(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The expert demands something that the records of the conversation contradict."""
    yield from _of_figure(talk, draw)
    yield from _of_status(talk)
    yield from _of_payment(talk)


def _of_figure(talk: Talk, draw: Random) -> Iterator[Planted]:
    for _, right, about in answers.first_stated(talk):
        wrong = answers.misread(right, draw)
        if wrong in json.dumps(talk.messages):
            continue
        yield Planted(
            KIND,
            talk.messages,
            None,
            f"The agent says that {about} is {wrong}.",
            (anywhere(contains=wrong),),
            f"The record has {right} as {about}, and the agent says so.",
        )


def _of_status(talk: Talk) -> Iterator[Planted]:
    for call in talk.changes():
        order = call.arguments.get("order_id", "")
        status = records.orders(talk, before=call.at).get(order, {}).get("status", "")
        if status != "delivered":
            continue
        yield Planted(
            KIND,
            talk.messages,
            None,
            f"The order {order} is still pending, so the agent cancels it.",
            ({"tools": {"arguments": {"cancel_pending_order": {"order_id": order}}}},),
            f"The order {order} was delivered; it cannot be cancelled.",
        )


def _of_payment(talk: Talk) -> Iterator[Planted]:
    for call in talk.changes():
        method = call.arguments.get("payment_method_id")
        known = records.payment_methods(talk, before=call.at)
        if method not in known or len(known) != 1:
            continue
        other = "gift_card_1000001"
        yield Planted(
            KIND,
            talk.messages,
            None,
            "The refund goes to the user's gift card gift_card_1000001.",
            ({"tools": {"arguments": {call.name: {"payment_method_id": other}}}},),
            f"The user has no gift card; the only payment method is {method}.",
        )
