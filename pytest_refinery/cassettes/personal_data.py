"""E-mail addresses, card numbers and phone numbers in texts."""

from __future__ import annotations

import re

EMAIL, CARD, PHONE = "someone@example.com", "CARD-NUMBER", "PHONE-NUMBER"

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]?\d)")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4})(?![\w-])"
)
# International numbers have at most 15 digits (E.164); shorter than 8 is hardly one.
_LEAST_DIGITS, _MOST_DIGITS = 8, 15


def removed(text: str) -> str:
    """Return a text without personal data, each kind replaced by a word of its own."""
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
