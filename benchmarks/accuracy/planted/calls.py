"""Errors in what the agent does: a call that is wrong, missing, made twice, too early or not the user's wish."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.planted import records
from benchmarks.accuracy.planted.planted import Planted, anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from benchmarks.accuracy.planted.talks import Call, Draft, Talk


def _demanded(call: Call, **right: object) -> dict[str, Any]:
    """Return the check that a call of this tool had these arguments, for the same order."""
    key = {name: call.arguments[name] for name in ("order_id", "user_id") if name in call.arguments}
    return {"tools": {"arguments": {call.name: {**key, **right}}}}


def _changed(talk: Talk, call: Call, argument: str, wrong: object) -> Draft:
    """Return the conversation with another argument in a call, and in what the tool recorded."""
    draft = talk.draft()
    draft.set_arguments(call.at, {**call.arguments, argument: wrong})
    result = draft.messages[call.result_at]
    old, new = json.dumps(call.arguments[argument]), json.dumps(wrong)
    # What the shop recorded for this call stands last, after what it recorded earlier.
    head, found, tail = result["content"].rpartition(old)
    result["content"] = head + (new if found else "") + tail
    return draft


def wrong_argument(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent calls the right tool with an argument that nobody asked for."""
    for call in talk.changes():
        for argument, right, wrong, wanted in _mistaken(talk, call, draw):
            draft = _changed(talk, call, argument, wrong)
            yield Planted(
                "wrong argument",
                tuple(draft.messages),
                call.at,
                wanted,
                (_demanded(call, **{argument: right}),),
                f"The call of {call.name} has {argument} {wrong!r}; the user had agreed to {right!r}.",
            )


def _mistaken(talk: Talk, call: Call, draw: Random) -> Iterator[tuple[str, Any, Any, str]]:
    """Yield argument, right value, wrong value and the expert's sentence."""
    methods = records.payment_methods(talk, before=call.at)
    if (method := call.arguments.get("payment_method_id")) and (others := sorted(set(methods) - {method})):
        source = methods.get(method, "payment method")
        yield "payment_method_id", method, draw.choice(others), f"The refund or payment goes to the user's {source}."
    if (reason := call.arguments.get("reason")) and reason in talk.said_before(call.at).casefold():
        other = "ordered by mistake" if reason == "no longer needed" else "no longer needed"
        yield "reason", reason, other, f"The order is cancelled with the reason that the user gave, '{reason}'."
    if (code := call.arguments.get("zip")) and len(code) == 5:
        wrong = code[:2] + code[3] + code[2] + code[4]
        if wrong != code:
            yield "zip", code, wrong, f"The new address has the zip code {code}."


def omitted_item(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent leaves out one of the items that the user has confirmed, and claims all of them."""
    for call in talk.changes():
        items = list(call.arguments.get("item_ids", ()))
        if len(items) < 2 or _was_tried(talk, call):
            continue
        left_out = draw.randrange(len(items))
        draft = talk.draft()
        arguments = {
            name: [item for place, item in enumerate(value) if place != left_out] if isinstance(value, list) else value
            for name, value in call.arguments.items()
        }
        draft.set_arguments(call.at, arguments)
        draft.messages[call.result_at]["content"] = _without(call, items[left_out], left_out)
        wanted = f"All {len(items)} items that the user confirmed are part of the change."
        cause = f"The call of {call.name} leaves out item {items[left_out]}."
        yield Planted("omitted item", tuple(draft.messages), call.at, wanted, (_demanded(call, item_ids=items),), cause)


def _was_tried(talk: Talk, call: Call) -> bool:
    """Tell whether the tool had refused such a call before: its arguments would meet the check."""
    return any(other.name == call.name and other.at < call.at for other in talk.calls())


def _without(call: Call, item: str, place: int) -> str:
    record = call.record
    for name, value in record.items():
        if not isinstance(value, list) or not name.endswith("_items"):
            continue
        record[name] = [one for at, one in enumerate(value) if (one != item if item in value else at != place)]
    return json.dumps(record)


def no_confirmation(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent changes something before the user has agreed to it."""
    for call in talk.changes()[:1]:
        asked = talk.confirmation_of(call)
        if asked is None or (answer := talk.answer_after(call.at)) is None:
            continue
        draft = talk.draft().until(answer + 1)
        del draft.messages[asked[0] : asked[1] + 1]
        draft.user(draw.choice(_PROTESTS))
        draft.agent("I am sorry. The request has already been processed.")
        draft.ask_something_else(draw)
        yield Planted(
            "no confirmation",
            tuple(draft.messages),
            call.at - 2,
            "The agent changes nothing before the user has confirmed the details.",
            ({"tools": {"not_called": call.name}},),
            f"{call.name} was called without the user's confirmation, which the policy demands.",
        )


def claimed_without_call(talk: Talk, _: Random) -> Iterator[Planted]:
    """The agent says that something is done, and has never called the tool."""
    changes = talk.changes()
    for call in changes:
        claim = talk.answer_after(call.at)
        if claim is None or claim != call.result_at + 1 or talk.messages[call.at]["content"]:
            continue
        draft = talk.draft()
        del draft.messages[call.at : call.result_at + 1]
        is_only = sum(other.name == call.name for other in changes) == 1
        check = {"tools": {"called": call.name}} if is_only else _demanded(call, **call.arguments)
        yield Planted(
            "claimed without a call",
            tuple(draft.messages),
            claim - 2,
            "What the agent says is done has really been done.",
            (check,),
            f"The agent says that the request is processed; {call.name} was never called for it.",
        )


def duplicate_change(talk: Talk, _: Random) -> Iterator[Planted]:
    """The agent makes the same change twice."""
    changes = talk.changes()
    for call in changes:
        draft = talk.draft()
        again = draft.insert_call(call.result_at + 1, call.name, call.arguments, call.result)
        made = sum(other.name == call.name for other in changes)
        yield Planted(
            "duplicate change",
            tuple(draft.messages),
            again,
            "Each change is made once.",
            ({"tools": {"at_most": {call.name: made}}},),
            f"{call.name} was called a second time with the same arguments.",
        )


def early_handover(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent gives up to a person what it could have done itself."""
    for call in talk.changes()[:1]:
        asked = talk.confirmation_of(call)
        if asked is None:
            continue
        draft = talk.draft().until(asked[0])
        place = draft.call(
            "transfer_to_human_agents", {"summary": "The user needs help with an order."}, "Transfer successful"
        )
        draft.agent(draw.choice(_HANDOVERS))
        yield Planted(
            "early hand-over",
            tuple(draft.messages),
            place,
            "The agent handles the request itself.",
            ({"tools": {"called": call.name, "not_called": "transfer_to_human_agents"}},),
            f"The agent handed over although {call.name} could do what the user asked for.",
        )


def refused(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent says that it cannot do what its policy and tools allow."""
    for call in talk.changes()[:1]:
        asked = talk.confirmation_of(call)
        if asked is None:
            continue
        draft = talk.draft().until(asked[0])
        place = draft.agent(draw.choice(_REFUSALS).format(_REFUSED[call.name]))
        draft.user("That is a pity. No, thank you.")
        draft.agent("Thank you for contacting us. Have a nice day!")
        draft.ask_something_else(draw)
        yield Planted(
            "refused",
            tuple(draft.messages),
            place,
            "The agent does what the policy allows.",
            ({"tools": {"called": call.name}},),
            f"The agent refused what the policy and {call.name} allow.",
        )


_PROTESTS = (
    "Wait, I had not agreed to that yet. I wanted to see the details first.",
    "Hold on, I never said that you should do it already!",
    "Hm, I only asked about it. Why is it done?",
)
_HANDOVERS = (
    "I have transferred you to a colleague. Please hold on.",
    "You are being connected with one of our specialists.",
    "Somebody from our team will take over from here.",
)
_REFUSALS = (
    "I am sorry, but {} Is there anything else I can help you with?",
    "Unfortunately {} Can I do anything else for you?",
    "I checked this for you: {} I know that this is not what you hoped for.",
)
_NOT_FOUND = ("I could not find an order with the number", "There is no order", "Our system does not know the order")
_REFUSED = {
    "cancel_pending_order": "it is not possible to cancel this order.",
    "exchange_delivered_order_items": "items that were delivered cannot be exchanged any more.",
    "modify_pending_order_address": "the shipping address of an order cannot be changed.",
    "modify_pending_order_items": "the items of an order cannot be changed after it was placed.",
    "modify_pending_order_payment": "the payment method of an order cannot be changed.",
    "modify_user_address": "your default address can only be changed in a branch.",
    "return_delivered_order_items": "these items cannot be returned.",
}


def ignored_correction(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The user corrects the details while confirming them; the agent does what it had said before."""
    for call in talk.changes():
        asked = talk.confirmation_of(call)
        if asked is None:
            continue
        for correction, wanted, right in _corrections(talk, call, draw):
            draft = talk.draft()
            draft.messages[asked[1]]["content"] = correction
            cause = f"The user's correction, '{correction}', was ignored in the call of {call.name}."
            check = _demanded(call, **right)
            yield Planted("ignored correction", tuple(draft.messages), call.at, wanted, (check,), cause)


def _corrections(talk: Talk, call: Call, draw: Random) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    methods = records.payment_methods(talk, before=call.at)
    method = call.arguments.get("payment_method_id")
    others = sorted(other for other in methods if method and methods[other] != methods.get(method))
    if others:
        other = draw.choice(others)
        said = f"Yes, but please use my {methods[other]} instead. Otherwise that is right, go ahead."
        yield said, f"The user's {methods[other]} is used, as the user said in the end.", {"payment_method_id": other}
    if reason := call.arguments.get("reason"):
        other = "ordered by mistake" if reason == "no longer needed" else "no longer needed"
        said = f"Yes, but I have to correct myself, the reason is '{other}'. Please go ahead."
        yield said, "The order is cancelled with the reason that the user gave last.", {"reason": other}
    names = records.item_names(talk, before=call.at)
    items = list(call.arguments.get("item_ids", ()))
    if len(items) > 1 and items[-1] in names:
        said = f"Yes, but leave out the {names[items[-1]]}, I want to keep it. Go ahead with the rest."
        yield said, f"The user keeps this item: {names[items[-1]]}.", {"item_ids": items[:-1]}


def invented_id(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent looks up an id that stands nowhere, and tells the user that there is no such record."""
    seen: set[str] = set()
    for call in talk.calls():
        order = call.arguments.get("order_id") if call.name == "get_order_details" else None
        if not order or order in seen or order not in talk.said_before(call.at):
            continue
        seen.add(order)
        wrong = (
            order[:-2] + order[-1] + order[-2]
            if order[-1] != order[-2]
            else order[:-1] + str((int(order[-1]) + 3) % 10)
        )
        if wrong in json.dumps(talk.messages):
            continue
        draft = talk.draft().until(call.at)
        place = draft.call(call.name, {"order_id": wrong}, "Error: order not found")
        words = draw.choice(_NOT_FOUND)
        draft.agent(f"{words} {wrong}. Is there anything else I can do for you?")
        draft.user("No, then I will try it another time.")
        draft.agent("All right. Thank you for contacting us!")
        draft.ask_something_else(draw)
        check = {"tools": {"arguments": {call.name: {"order_id": order}}}}
        yield Planted(
            "invented id",
            tuple(draft.messages),
            place,
            f"The agent looks up the order {order}.",
            (check, anywhere(not_contains=words)),
            f"The order number {wrong} stands nowhere; the order is {order}.",
        )


_WISHES = (
    ("Thank you. Please also send me the invoice by email.", "You are welcome! Goodbye.", "send_invoice"),
    ("Great. Could you subscribe me to the newsletter, too?", "My pleasure. Have a nice day!", "subscribe_newsletter"),
    ("Good. I'd like to book a repair for my old lamp as well.", "Glad that I could help you today!", "book_repair"),
)


def last_wish_passed_over(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The user asks for one more thing at the end; the agent says good-bye."""
    last = max(place for place in range(len(talk.messages)) if talk.is_answer(place))
    ask, answer, tool = draw.choice(_WISHES)
    draft = talk.draft().until(last + 1)
    draft.user(ask)
    place = draft.agent(answer)
    draft.user("Hm, all right.")
    yield Planted(
        "last wish passed over",
        tuple(draft.messages),
        place,
        "The agent does all that the user asks for.",
        ({"tools": {"called": tool}},),
        f"The agent says good-bye; {tool} was never called.",
    )


def preview_for_the_deed(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent calls a tool that only shows what would be, and reports the change as made."""
    for call in talk.changes():
        claim = talk.answer_after(call.at)
        is_only = sum(other.name == call.name for other in talk.calls()) == 1
        if claim is None or claim != call.result_at + 1 or not is_only:
            continue
        draft = talk.draft()
        draft.rename_call(call.at, call.result_at, f"preview_{call.name}")
        order = call.arguments.get("order_id", "")
        draft.messages[call.result_at]["content"] = json.dumps({"order": order, "preview": True, "saved": False})
        draft.ask_something_else(draw)
        yield Planted(
            "preview for the deed",
            tuple(draft.messages),
            claim,
            "What the agent says is done has really been done.",
            ({"tools": {"called": call.name}},),
            f"preview_{call.name} changes nothing; {call.name} was never called.",
        )


_SEARCHES = (
    (
        "How long is the warranty on refurbished headphones?",
        {"query": "warranty"},
        "Warranty. All new devices have a warranty of 24 months.",
        "The warranty is 24 months.",
        "The agent says that refurbished headphones have a warranty of 6 months.",
        "6 months",
    ),
    (
        "What does delivery to an island cost?",
        {"query": "delivery cost"},
        "Delivery. A standard delivery costs 4.95.",
        "A standard delivery costs 4.95.",
        "The agent says that delivery to an island costs 14.50.",
        "14.50",
    ),
    (
        "May I return opened cosmetics?",
        {"query": "return"},
        "Returns. Unused goods can be returned within 30 days.",
        "Yes, you can return them within 30 days.",
        "The agent says that opened cosmetics are excluded.",
        "excluded",
    ),
)


def wrong_article(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent searches without the word that matters, and answers from an article about something else."""
    last = max(place for place in range(len(talk.messages)) if talk.is_answer(place))
    ask, query, article, answer, wanted, right = draw.choice(_SEARCHES)
    draft = talk.draft().until(last + 1)
    draft.user(ask)
    place = draft.call("search_help", query, article)
    draft.agent(answer)
    draft.user("Good to know.")
    draft.ask_something_else(draw)
    cause = "The article that was found is about something else."
    yield Planted("wrong article", tuple(draft.messages), place, wanted, (anywhere(contains=right),), cause)
