"""The planted-error set: one error of each kind in each conversation that can carry it, the same for a seed."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.accuracy.labelled import Labelled
from benchmarks.accuracy.planted import answers, calls, expectations, formats, german, talks
from pytest_refinery.expectations.checks import Check
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchmarks.accuracy.planted.planted import Plant, Planted
    from benchmarks.accuracy.planted.talks import Talk
    from pytest_refinery.traces.model import Trace

SEED = 20261130
DATA_SET = "planted"
GERMAN = "planted, German"
HALVES = ("development", "other")
KINDS: Mapping[str, Plant] = {
    "wrong argument": calls.wrong_argument,
    "omitted item": calls.omitted_item,
    "no confirmation": calls.no_confirmation,
    "claimed without a call": calls.claimed_without_call,
    "duplicate change": calls.duplicate_change,
    "early hand-over": calls.early_handover,
    "refused": calls.refused,
    "ignored correction": calls.ignored_correction,
    "invented id": calls.invented_id,
    "wrong figure": answers.wrong_figure,
    "wrong record": answers.wrong_record,
    "outage gone over": answers.outage_gone_over,
    "lasting promise": answers.lasting_promise,
    "stale record": answers.stale_record,
    "miscounted": answers.miscounted,
    "last wish passed over": calls.last_wish_passed_over,
    "preview for the deed": calls.preview_for_the_deed,
    "wrong article": calls.wrong_article,
    expectations.KIND: expectations.wrong_expectation,
    "asked for something else": expectations.asked_for_something_else,
    "withdrawn": expectations.withdrawn,
    "forbidden by the prompt": expectations.forbidden,
}
_MOST_OF_A_KIND = 8


def planted(conversations: Iterable[Talk], *, seed: int = SEED) -> Iterator[tuple[str, Planted]]:
    """Yield name and case: at most ``_MOST_OF_A_KIND`` of each kind and half, spread over the conversations."""
    known = list(conversations)
    for kind, plant in KINDS.items():
        draw = Random(f"{seed} {kind}")
        made: dict[str, int] = {}
        for talk in draw.sample(known, len(known)):
            ways = list(plant(talk, draw))
            name = f"{kind}, {talk.name}"
            if ways and made.get(half(talk.name), 0) < _MOST_OF_A_KIND:
                made[half(talk.name)] = made.get(half(talk.name), 0) + 1
                yield name, draw.choice(ways)


def half(conversation: str) -> str:
    """Return the half that a conversation belongs to; all errors in it are in the same."""
    return HALVES[hashlib.sha256(conversation.encode()).digest()[0] % 2]


def read(data: Path, *, chosen: str = "development", form: str = "transcript", seed: int = SEED) -> list[Labelled]:
    """Return the cases of a half as an analyst is asked about them."""
    found = planted(talks.passing(data / "tau_passing"), seed=seed)
    return [labelled(name, case, form=form) for name, case in found if half(name.partition(", ")[2]) == chosen]


def read_german(*, form: str = "transcript") -> list[Labelled]:
    """Return the cases in German as an analyst is asked about them."""
    return [labelled(name, case, form=form, data_set=GERMAN) for name, case in german.planted()]


def labelled(name: str, planted: Planted, *, form: str = "transcript", data_set: str = DATA_SET) -> Labelled:
    """Return a planted case as a labelled trace of a format."""
    text, ids = formats.FORMATS[form](planted.messages, name)
    speakers = tuple(_SPEAKERS[message["role"]] for message in planted.messages)
    return Labelled(
        data_set=data_set,
        name=name,
        trace=_loaded(text),
        expect=planted.expect,
        checks=tuple(map(Check.model_validate, planted.checks)),
        run_ids=tuple(ids),
        speakers=speakers,
        workers=frozenset({"Assistant"}),
        texts=tuple(message["content"] or "" for message in planted.messages),
        decisive=planted.step,
        agent="Assistant" if planted.step is not None else "",
        reason=planted.cause,
        kind=planted.kind,
    )


_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


def _loaded(text: str) -> Trace:
    """Return the trace of a file with this text: what users have is a file, and its format has to be recognised."""
    with tempfile.TemporaryDirectory() as folder:
        # Spans stand one to a line.
        name = "trace.jsonl" if text.startswith('{"name"') else "trace.json"
        Path(folder, name).write_text(text, encoding="utf-8")
        return JsonFiles().load(name, base=Path(folder))
