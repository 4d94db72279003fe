"""Texts of a trace as lines that cannot be mistaken for the digest's own.

Whatever a trace says is written behind a space or behind a digest's own word on the same
line; what starts in the first column is the digest's.
"""

from __future__ import annotations

import json
import re

# Control characters and halves of surrogate pairs break uploads and terminals; each becomes the symbol for it.
_SYMBOLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r\v\f\x1c\x1d\x1e"}
_SYMBOLS |= {0x7F: 0x2421} | dict.fromkeys([*range(0x80, 0x85), *range(0x86, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)
_UNSAFE = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_PLAIN_NAME = re.compile(r"[\w./@-]{1,80}")
_LONGEST_NAME = 200


def visible(text: str) -> str:
    """Return ``text`` with a symbol for each control character that is no white space.

    A digest carries texts in this form; fold quotes and texts alike before comparing them.
    """
    return text.translate(_SYMBOLS) if _UNSAFE.search(text) else text


def fold(text: str) -> str:
    """Return the visible ``text`` with each run of white space as one space."""
    return " ".join(visible(text).split())


def split(text: str) -> list[str]:
    """Return the lines of the visible ``text``; an empty text is one empty line."""
    return visible(text).splitlines() or [""]


def indented(line: str) -> str:
    """Return a line of a trace's text as a digest writes it."""
    return f" {line}" if line else ""


def one_line(text: str) -> str:
    """Return ``text`` on one line, line ends escaped."""
    lines = visible(text).splitlines()
    return "\\n".join(lines) if len(lines) != 1 else lines[0]


def name(text: str) -> str:
    """Return a name as one word: bare where it is one, else in quotes and cut at 200 characters."""
    if _PLAIN_NAME.fullmatch(text):
        return text
    return one_line(json.dumps(text[:_LONGEST_NAME], ensure_ascii=False))


def is_cut(text: str) -> bool:
    """Tell whether ``name`` leaves out the end of ``text``."""
    return len(text) > _LONGEST_NAME
