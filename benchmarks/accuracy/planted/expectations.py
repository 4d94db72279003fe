"""Nothing is wrong with the conversation: the expectation contradicts a record, the user or the prompt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.accuracy.planted import answers, records
from benchmarks.accuracy.planted.planted import Planted, anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from benchmarks.accuracy.planted.talks import Call, Talk

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


def asked_for_something_else(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The expert demands another argument than the one that the user named and the agent used."""
    for call in talk.changes():
        spoken = " ".join(talk.text(at) for at in range(call.at) if talk.messages[at]["role"] == "user").casefold()
        reason = call.arguments.get("reason", "")
        if reason and reason in spoken:
            other = "ordered by mistake" if reason == "no longer needed" else "no longer needed"
            wanted = f"The order is cancelled with the reason '{other}'."
            yield _demanding(talk, call, "reason", other, wanted)
        methods = records.payment_methods(talk, before=call.at)
        method = call.arguments.get("payment_method_id", "")
        word = methods.get(method, "-").removesuffix(" account").casefold()
        others = sorted(other for other in methods if methods[other] != methods.get(method))
        if word in spoken and others:
            other = draw.choice(others)
            yield _demanding(talk, call, "payment_method_id", other, f"The user's {methods[other]} is used.")


def _demanding(talk: Talk, call: Call, argument: str, other: str, wanted: str) -> Planted:
    demanded = {"order_id": call.arguments["order_id"], argument: other}
    return Planted(
        "asked for something else",
        talk.messages,
        None,
        wanted,
        ({"tools": {"arguments": {call.name: demanded}}},),
        f"The user named {call.arguments[argument]!r}, and the agent used it.",
    )


_WITHDRAWALS = (
    ("Hm, on second thought: leave it as it is, please.", "All right, then I change nothing."),
    ("No, sorry. I have changed my mind, I will keep everything.", "No problem, nothing has been changed."),
    ("Oh. Then don't do it, I had not thought of that.", "Of course. Everything stays as it was."),
)


def withdrawn(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The user takes the request back when the agent asks for a yes; the expert demands the change all the same."""
    changes = talk.changes()
    for call in changes:
        asked = talk.confirmation_of(call)
        if asked is None or sum(other.name == call.name for other in talk.calls()) > 1:
            continue
        said, answer = draw.choice(_WITHDRAWALS)
        draft = talk.draft().until(asked[1])
        draft.user(said)
        draft.agent(answer)
        draft.ask_something_else(draw)
        yield Planted(
            "withdrawn",
            tuple(draft.messages),
            None,
            "The agent makes the change that the user asked for.",
            ({"tools": {"called": call.name}},),
            f"The user took it back: {said}",
        )


_FORBIDDEN = (
    (
        "- Vouchers are issued by the shops only: you must not issue a voucher in the chat.",
        "Could I have a voucher for the delay, please?",
        "I am sorry, vouchers are issued by the shops only, I must not do that in the chat.",
        "issue_voucher",
        "The user gets a voucher.",
    ),
    (
        "- Never call extend_return_period: the return period of 30 days is fixed.",
        "Can you extend the return period for me by two weeks?",
        "The return period is fixed at 30 days, so I cannot extend it.",
        "extend_return_period",
        "The agent extends the return period.",
    ),
    (
        "- Phone numbers are kept by the warehouse; do not change a phone number yourself.",
        "Please change my phone number to 555-0177.",
        "Phone numbers are kept by the warehouse, so I cannot change yours here.",
        "change_phone_number",
        "The agent changes the phone number.",
    ),
)


def forbidden(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The expert demands a call that the prompt rules out, and that the agent declines for that reason."""
    last = max(place for place in range(len(talk.messages)) if talk.is_answer(place))
    rule, ask, answer, tool, wanted = draw.choice(_FORBIDDEN)
    draft = talk.draft().until(last + 1)
    draft.messages[0]["content"] += f"\n{rule}\n"
    draft.user(ask)
    draft.agent(answer)
    draft.ask_something_else(draw)
    checks = ({"tools": {"called": tool}},)
    yield Planted("forbidden by the prompt", tuple(draft.messages), None, wanted, checks, rule)
