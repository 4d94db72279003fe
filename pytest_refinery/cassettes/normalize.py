"""Makes recordings of the same run the same: what a service invents on the spot gets a name that stays.

OpenAI and what speaks its language give every object a random id and the time of day. Ids are numbered, the same id the
same in every text of the cassette, so that requests still name what earlier answers gave them; times become fixed ones.
Objects of other services are data, and stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.cassettes.interactions import Interaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_refinery.cassettes.bodies import Body
    from pytest_refinery.traces.model import Json

# The values of ``object`` in OpenAI's specification whose ids and times mean nothing to anybody else.
_OBJECTS = frozenset(
    "batch chat.completion chat.completion.chunk conversation file response text_completion vector_store "
    "vector_store.file vector_store.file_batch vector_store.file_content.page vector_store.files_batch".split()
)
_RANDOM_PART = "[A-Za-z0-9]{12,}"
_ISSUED = re.compile(rf"([a-z]{{1,16}}[-_]){_RANDOM_PART}")
_NUMBERED = re.compile(r"([a-z]{1,16}[-_])(\d{4,11})")
# 2020 and 2100: what is replayed has been made, and has not expired.
_PAST, _FUTURE = 1_577_836_800, 4_102_444_800


def stabilize_ids(interactions: Sequence[Interaction]) -> list[Interaction]:
    """Return interactions as they are written, in an order that does not depend on which answer came first.

    Args:
        interactions: In the order in which they were asked for; equal requests stay in it.
    """
    candidates = _given_out(interactions)
    mentions = _Mentions.of(prefix for prefix, _ in candidates.values())
    asked = _asked_with(interactions, mentions)
    issued = {found: prefix for found, (prefix, place) in candidates.items() if asked.get(found, place + 1) > place}
    in_order = sorted(interactions, key=lambda each: mentions.replaced(each.request.text, _prefix))
    names = _numbered(issued, in_order)
    renamed = [_renamed(each, partial(mentions.replaced, name=lambda id_: names.get(id_, id_))) for each in in_order]
    return sorted(renamed, key=lambda each: each.request.text)


@dataclass(frozen=True)
class _Mentions:
    """Finds ids with certain prefixes in texts."""

    prefixes: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, prefixes: Iterable[str]) -> _Mentions:
        known = tuple(sorted(set(prefixes)))
        return cls(known, re.compile(rf"(?:{'|'.join(known) or '(?!)'}){_RANDOM_PART}"))

    def found_in(self, text: str) -> list[str]:
        return self.pattern.findall(text) if self._may_be_in(text) else []

    def replaced(self, text: str, name: Callable[[str], str]) -> str:
        return self.pattern.sub(lambda found: name(found[0]), text) if self._may_be_in(text) else text

    def _may_be_in(self, text: str) -> bool:
        # Much faster than the pattern, and most texts have none.
        return any(prefix in text for prefix in self.prefixes)


def _given_out(interactions: Sequence[Interaction]) -> dict[str, tuple[str, int]]:
    """Return the ids in answers, each with its prefix and the place of the first answer that has it."""
    found: dict[str, tuple[str, int]] = {}
    for place, each in enumerate(interactions):
        for candidate in _ids_in(each.response.body.value):
            if shape := _ISSUED.fullmatch(candidate):
                found.setdefault(candidate, (shape[1], place))
    return found


def _asked_with(interactions: Sequence[Interaction], mentions: _Mentions) -> dict[str, int]:
    """Return the ids in requests, each with the place of the first request that has it."""
    found: dict[str, int] = {}
    for place, each in enumerate(interactions):
        for mentioned in mentions.found_in(each.request.text):
            found.setdefault(mentioned, place)
    return found


def _ids_in(value: Json, *, is_inside: bool = False) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _ids_in(item, is_inside=is_inside)
    elif isinstance(value, dict):
        is_inside = is_inside or _is_object(value)
        for name, member in value.items():
            if not isinstance(member, str):
                yield from _ids_in(member, is_inside=is_inside)
            elif is_inside and (name == "id" or name.endswith("_id")):
                yield member


def _is_object(value: Mapping[str, Json]) -> bool:
    """Tell whether this is an object of the service's, or an event about one."""
    return value.get("object") in _OBJECTS or str(value.get("type")).startswith("response.")


def _numbered(issued: Mapping[str, str], interactions: Sequence[Interaction]) -> dict[str, str]:
    """Return a name for each id: its prefix and a number, in the order in which answers give them out."""
    given_out = [found for each in interactions for found in _ids_in(each.response.body.value)]
    last: dict[str, int] = {}
    for earlier in filter(None, map(_NUMBERED.fullmatch, given_out)):
        last[earlier[1]] = max(last.get(earlier[1], 0), int(earlier[2]))
    names: dict[str, str] = {}
    for found in given_out:
        if found in issued and found not in names:
            prefix = issued[found]
            last[prefix] = last.get(prefix, 0) + 1
            names[found] = f"{prefix}{last[prefix]:04d}"
    return names


def _prefix(found: str) -> str:
    return found.partition("-")[0].partition("_")[0]


def _renamed(interaction: Interaction, renamed: Callable[[str], str]) -> Interaction:
    request, response = interaction.request, interaction.response
    if renamed(request.text) != request.text:
        request = replace(request, url=renamed(request.url), body=_of_body(request.body, renamed))
    return Interaction(request, replace(response, body=_of_body(response.body, renamed)))


def _of_body(body: Body, renamed: Callable[[str], str]) -> Body:
    return body if body.kind == "base64" else replace(body, value=_of_value(body.value, renamed))


def _of_value(value: Json, renamed: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return renamed(value)
    if isinstance(value, list):
        return [_of_value(item, renamed) for item in value]
    if isinstance(value, dict):
        times = _times(value) if _is_object(value) else {}
        return {renamed(name): times.get(name, _of_value(item, renamed)) for name, item in value.items()}
    return value


def _times(value: Mapping[str, Json]) -> dict[str, Json]:
    return {
        name: _FUTURE if name == "expires_at" else _PAST
        for name, member in value.items()
        if (name == "created" or name.endswith("_at")) and type(member) in {int, float}
    }
