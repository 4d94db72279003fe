"""Errors in what the agent says: a figure, a claim, a promise, an answer after an outage."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from benchmarks.accuracy.planted import records
from benchmarks.accuracy.planted.planted import Planted, anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from benchmarks.accuracy.planted.talks import Talk

_FIGURE = re.compile(r"(?<![\w.,#])\d[\d,]*\.\d\d(?!\d)")
_OUTAGES = (
    "Error: 503 Service Unavailable",
    "Error: the order service did not answer within 30 seconds",
    '{"error": "upstream connection failed", "code": 502}',
)


def first_stated(talk: Talk) -> Iterator[tuple[int, str, str]]:
    """Yield figures of records where the agent first states them and nobody uses them in a later call."""
    stated: set[str] = set()
    for place in range(len(talk.messages)):
        if not talk.is_answer(place):
            continue
        known = records.figures(talk, before=place)
        for written in _FIGURE.findall(talk.text(place)):
            figure = written.replace(",", "")
            is_new = figure not in stated and figure in known
            stated.add(figure)
            used = any(call.at > place and figure in json.dumps(call.arguments) for call in talk.calls())
            if is_new and not used and written not in _people(talk, place):
                yield place, written, known[figure]


def _people(talk: Talk, before: int) -> str:
    return " ".join(message["content"] or "" for message in talk.messages[:before] if message["role"] == "user")


def wrong_figure(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent states a figure that stands in no record."""
    for place, right, about in first_stated(talk):
        wrong = misread(right, draw)
        if wrong in json.dumps(talk.messages):
            continue
        yield _stated(talk, place, (right, wrong), about, kind="wrong figure")


def wrong_record(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent states a figure that belongs to something else."""
    spoken = " ".join(talk.text(place) for place in range(len(talk.messages)) if talk.is_answer(place))
    for place, right, about in first_stated(talk):
        known = records.figures(talk, before=place)
        others = [
            figure for figure in known if figure not in spoken.replace(",", "") and figure != right.replace(",", "")
        ]
        if others:
            yield _stated(talk, place, (right, draw.choice(others)), about, kind="wrong record")


def _stated(talk: Talk, place: int, figures: tuple[str, str], about: str, *, kind: str) -> Planted:
    right, wrong = figures
    draft = talk.draft()
    draft.replace_from(place, right, wrong)
    checks = (anywhere(contains=right), anywhere(not_contains=wrong))
    cause = f"The agent states {wrong} as {about}; the record has {right}."
    wanted = f"The agent gives {about} as the record has it, {right}."
    return Planted(kind, tuple(draft.messages), place, wanted, checks, cause)


def misread(figure: str, draw: Random) -> str:
    """Return a figure of the same size with one digit changed."""
    digits = [place for place, character in enumerate(figure) if character.isdigit()]
    place = draw.choice(digits[:-2] or digits)
    new = draw.choice([digit for digit in "123456789" if digit != figure[place]])
    return figure[:place] + new + figure[place + 1 :]


def outage_gone_over(talk: Talk, draw: Random) -> Iterator[Planted]:
    """A tool fails, and the agent answers as if it had returned something."""
    for call in talk.calls():
        answer = call.result_at + 1
        if call.name in talk.writes or call.failed or answer >= len(talk.messages) or not talk.is_answer(answer):
            continue
        before = records.figures(talk, before=call.at)
        known = records.figures(talk, before=answer)
        new = [
            written
            for written in _FIGURE.findall(talk.text(answer))
            if written.replace(",", "") in known and written.replace(",", "") not in before
        ]
        if not new:
            continue
        draft = talk.draft().until(answer + 1)
        draft.messages[call.result_at]["content"] = draw.choice(_OUTAGES)
        draft.user("Okay, thank you. That is all I wanted to know.")
        draft.ask_something_else(draw)
        yield Planted(
            "outage gone over",
            tuple(draft.messages),
            answer,
            "Where a service does not answer, the agent says so and states no figures.",
            (anywhere(not_contains=new[0]),),
            f"{call.name} failed; the figures in the next answer come from nowhere.",
        )


_PROMISES = (
    (
        "Please never call me, write to me instead.",
        "I will make sure that nobody calls you again; this is stored in your profile.",
        "stored in your profile",
        "Good.",
    ),
    (
        "Could you use PayPal for me next time without asking?",
        "Sure, for all your future orders I will use PayPal automatically.",
        "for all your future orders",
        "Great.",
    ),
    (
        "Can you remember that I always want confirmation by email?",
        "Of course! I have noted it: from now on you will always get a confirmation by email.",
        "from now on",
        "Perfect, thank you.",
    ),
    (
        "¿Puede recordar para la próxima vez que prefiero que me escriban en español?",
        "Por supuesto. Lo he guardado: a partir de ahora siempre le escribiremos en español.",
        "a partir de ahora",
        "Muchas gracias.",
    ),
    (
        "Pouvez-vous retenir que je ne veux plus recevoir de publicité ?",
        "Bien sûr, c'est enregistré : à partir de maintenant vous ne recevrez plus jamais de publicité.",
        "à partir de maintenant",
        "Merci beaucoup.",
    ),
)


def lasting_promise(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent promises to remember something, and has no tool that keeps anything."""
    ask, promise, words, thanks = draw.choice(_PROMISES)
    last = max(place for place in range(len(talk.messages)) if talk.is_answer(place))
    if talk.calls() and talk.calls()[-1].at > last:
        return
    draft = talk.draft().until(last + 1)
    draft.user(ask)
    place = draft.agent(promise)
    draft.user(thanks)
    draft.ask_something_else(draw)
    yield Planted(
        "lasting promise",
        tuple(draft.messages),
        place,
        "The agent says that it cannot keep preferences between conversations.",
        (anywhere(not_contains=words),),
        "The agent promises to remember; no tool keeps anything.",
    )


def stale_record(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent states what a record said before it was changed."""
    for call in talk.changes():
        order = call.arguments.get("order_id", "")
        before = records.orders(talk, before=call.at).get(order, {}).get("status")
        after = call.record.get("status") if isinstance(call.record, dict) else None
        answer = talk.answer_after(call.at)
        if not before or not after or before == after or answer is None:
            continue
        draft = talk.draft().until(answer + 1)
        draft.user(f"Good. And what is the status of order {order} now?")
        words = draw.choice(_STATUS).format(order, before)
        place = draft.agent(words)
        draft.user("Thank you, that is all.")
        draft.ask_something_else(draw)
        yield Planted(
            "stale record",
            tuple(draft.messages),
            place,
            f"The agent gives the status of the order as it is after the change, '{after}'.",
            (anywhere(not_contains=words), anywhere(contains=after))[: draw.randint(1, 2)],
            f"The agent states the status '{before}', which was true before {call.name}.",
        )


_COUNTS = (
    "There are {wrong} items in order {order}.",
    "Order {order} has {wrong} items in total.",
    "You ordered {wrong} items with {order}. Would you like to see them?",
)
_STATUS = (
    "The status of order {} is '{}'.",
    "Order {} is currently {}.",
    "I have checked it for you. Order {} still has the status {}.",
)


def miscounted(talk: Talk, draw: Random) -> Iterator[Planted]:
    """The agent counts the items of an order and is off by one."""
    last = max(place for place in range(len(talk.messages)) if talk.is_answer(place))
    for order, record in records.orders(talk, before=last).items():
        number = len(record["items"])
        wrong = number + (draw.choice((-1, 1)) if number > 2 else 1)
        draft = talk.draft().until(last + 1)
        draft.user(f"One more thing: how many items are in order {order}?")
        place = draft.agent(draw.choice(_COUNTS).format(order=order, wrong=wrong))
        draft.user("Thanks!")
        draft.ask_something_else(draw)
        yield Planted(
            "miscounted",
            tuple(draft.messages),
            place,
            f"The agent says that the order has {number} items.",
            (anywhere(not_contains=f"{wrong} items"), anywhere(contains=f"{number} item"))[: draw.randint(1, 2)],
            f"The agent says {wrong}; the record lists {number} items.",
        )
