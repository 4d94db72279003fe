"""The distinct messages, texts and values of a trace, each of them written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.digest import lines
from pytest_refinery.digest.compact import Compact, quoted
from pytest_refinery.digest.repeats import LineIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Message

    # By speaker and reasoning.
    _Copies = dict[tuple[str | None, str], int]

# Below this a reference saves nothing.
_WORTH_A_REFERENCE = 40
_WORTH_AN_ITEM = 200
_PREVIEW = 60


@dataclass(frozen=True, slots=True)
class Item:
    """One distinct thing, ``m<number>`` in the digest.

    Attributes:
        text: Its lines as the digest writes them: what the trace says stands behind a space or a heading.
        preview: Role and first words, one line.
    """

    number: int
    text: str
    preview: str


class MessageStore:
    """Numbers what is new and finds what is known.

    Two messages are one where role, text and tool calls agree; ids do not count, nor do a
    speaker that only one of them names and reasoning that the later one no longer has.

    Attributes:
        items: What is known; ``m1`` comes first.
        has_nameless_copies: Whether a message's first copy lacks the speaker that a later one names.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.has_nameless_copies = False
        self._messages: dict[tuple[object, ...], _Copies] = {}
        self._texts: dict[str, int] = {}
        self._values: dict[tuple[str, str], int] = {}
        self._calls: dict[str, int] = {}
        self._lines = LineIndex()

    def add(self, message: Message) -> int:
        """Return the number of ``message``, a new one where it is not known."""
        calls = tuple(_key(call.name, call.arguments) for call in message.tool_calls)
        copies = self._messages.setdefault((message.role, message.text, message.is_error, calls), {})
        number = self._copy_of(message, copies)
        if number is None:
            number = self._append(_heading(message), message.text, list(self._added_lines(message)))
            self._calls.update(dict.fromkeys(calls, number))
        copies[message.name, message.thinking] = number
        return number

    def _copy_of(self, message: Message, copies: _Copies) -> int | None:
        for (name, thinking), number in copies.items():
            if message.thinking in {"", thinking} and (name is None or message.name in {None, name}):
                self.has_nameless_copies |= name is None and message.name is not None
                return number
        return None

    def _added_lines(self, message: Message) -> Iterator[str]:
        if message.thinking:
            first, *others = map(lines.indented, lines.split(message.thinking))
            yield "\n".join([f"thinking:{first}", *others])
        known = Compact(self._known, lambda _: None)
        for call in message.tool_calls:
            yield lines.one_line(f"call {lines.name(call.name)}({known.write(call.arguments)})")

    def add_text(self, text: str, *, kind: str) -> int:
        """Return the number of a text that is no message: an error, a plain input."""
        number = self._texts.get(text) or self._values.get((kind, text))
        if number is None:
            number = self._values[kind, text] = self._append(kind, text, [])
        return number

    def add_value(self, text: str) -> int:
        """Return the number of a value, given as ``compact`` writes it."""
        number = self._values.get(("data", text))
        if number is None:
            number = len(self.items) + 1
            self._values["data", text] = number
            self.items.append(Item(number, f"m{number} data: {text}", f"data: {text[:_PREVIEW]}"))
        return number

    def call(self, name: object, arguments: object) -> int | None:
        """Return the number of the latest message that calls ``name`` with these arguments."""
        is_call = isinstance(name, str) and isinstance(arguments, Mapping)
        return self._calls.get(_key(name, arguments)) if is_call else None

    def compact(self, value: object) -> str:
        """Return a JSON value on one line, without its null fields, what is known as ``=m3``.

        Long texts in it become items of their own.
        """
        return lines.one_line(Compact(self._known_or_new, self._known_call).write(value))

    def _append(self, heading: str, text: str, calls: list[str]) -> int:
        number = len(self.items) + 1
        written = lines.split(text)
        body = self._lines.shortened(written)
        self._lines.add(number, written, text=text)
        if len(text) >= _WORTH_A_REFERENCE:
            self._texts.setdefault(text, number)
        preview = lines.fold(text[: 4 * _PREVIEW])[:_PREVIEW] or " ".join(calls)[:_PREVIEW]
        self.items.append(
            Item(number, "\n".join([f"m{number} {heading}:{body[0]}", *body[1:], *calls]), f"{heading}: {preview}")
        )
        return number

    def _known(self, text: str) -> str:
        number = self._texts.get(text)
        return quoted(text) if number is None else f"=m{number}"

    def _known_or_new(self, text: str) -> str:
        is_new = text not in self._texts and _is_worth_an_item(text)
        return f"=m{self.add_text(text, kind='text')}" if is_new else self._known(text)

    def _known_call(self, value: Mapping[str, Any]) -> str | None:
        number = self.call(value.get("name"), value.get("args", value.get("arguments")))
        return None if number is None else f"call of m{number}"


def _is_worth_an_item(text: str) -> bool:
    return len(text) >= _WORTH_AN_ITEM or (len(text) >= _WORTH_A_REFERENCE and "\n" in text)


def _key(name: object, arguments: object) -> str:
    return f"{name}({json.dumps(arguments, sort_keys=True, default=str)})"


def _heading(message: Message) -> str:
    words = [lines.name(message.role)]
    if message.name:
        words.append(lines.name(message.name))
    if message.is_error:
        words.append("FAILED")
    return " ".join(words)
