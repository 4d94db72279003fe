"""Takes out of texts and values what nobody may read in them. No file, no network.

What is found is replaced by one word, the same everywhere: a request that was made with another key still finds its
answer, and what has been scrubbed stays as it is when it is scrubbed again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing import secret_shapes
from pytest_refinery.scrubbing.secret_shapes import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.traces.model import Json, Run, Trace

EMAIL, CARD, PHONE = "someone@example.com", "CARD-NUMBER", "PHONE-NUMBER"

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]?\d)")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4})(?![\w-])"
)
# International numbers have at most 15 digits (E.164); shorter than 8 is hardly one.
_LEAST_DIGITS, _MOST_DIGITS = 8, 15

_SAYING = ("name", "inputs", "outputs", "error", "metadata", "settings", "template")


@dataclass(frozen=True)
class Scrubber:
    """Removes secrets, and what the user names.

    Attributes:
        patterns: Regular expressions of what is removed besides.
        callables: Each gets a text and returns it without what must not stay, or ``None`` to leave it as it is.
        personal: Whether e-mail addresses, card numbers and phone numbers are replaced.
    """

    patterns: tuple[str, ...] = ()
    callables: tuple[Callable[[str], str | None], ...] = field(default=(), repr=False)
    personal: bool = False

    def json(self, value: Json) -> Json:
        """Return a JSON value without secrets, in its texts and under the names that secrets have."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.named(name, item) for name, item in value.items()}
        return value

    def trace(self, trace: Trace) -> Trace:
        """Return a trace without secrets."""
        runs = tuple(self._run(run) for run in trace.runs)
        return trace.model_copy(update={"name": self.text(trace.name), "runs": runs})

    def _run(self, run: Run) -> Run:
        return run.model_copy(update={name: self.json(cast("Json", getattr(run, name))) for name in _SAYING})

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for called in self.callables:
            text = _changed_by(called, text)
        for pattern in self.patterns:
            # What is removed stays removed, also where a pattern fits the word that stands for it.
            text = REMOVED.join(re.sub(pattern, REMOVED, piece) for piece in text.split(REMOVED))
        text = secret_shapes.removed(text)
        return without_personal_data(text) if self.personal else text

    def named(self, name: str, value: Json) -> Json:
        """Return the value of a field without secrets."""
        if isinstance(value, list):
            return [self.named(name, item) for item in value]
        if isinstance(value, str) and value and secret_shapes.is_secret_field(name, value):
            return REMOVED
        return self.json(value)


def _changed_by(called: Callable[[str], str | None], text: str) -> str:
    try:
        found = called(text)
    except Exception as error:  # noqa: BLE001  (a user's function)
        # Without the cause: its message may hold the text.
        msg = f"A hook pytest_refinery_scrub failed with {type(error).__name__}: nothing can be recorded or replayed."
        raise CassetteError(msg) from None
    return text if found is None else found


def without_personal_data(text: str) -> str:
    """Replace e-mail addresses, card numbers and phone numbers, each kind by a word of its own."""
    text = _EMAIL.sub(EMAIL, text)
    text = _CARD.sub(lambda found: CARD if _is_card(found[0]) else found[0], text)
    return _PHONE.sub(lambda found: PHONE if _is_phone(found[0]) else found[0], text)


def _is_card(text: str) -> bool:
    """Apply the Luhn check (ISO/IEC 7812-1)."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [2 * digit for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0


def _is_phone(text: str) -> bool:
    return _LEAST_DIGITS <= sum(character.isdigit() for character in text) <= _MOST_DIGITS
