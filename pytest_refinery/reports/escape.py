"""Makes text from a trace harmless where it is shown: a trace says whatever its users said."""

from __future__ import annotations

import re
import unicodedata

_SHOWN_AS_THEY_ARE = frozenset("\n\t")
# Control, format (bidi overrides, zero-width), surrogate and private characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|www)(:|\.)")


def printable(text: str) -> str:
    r"""Return ``text`` with every character that could steer a terminal shown as ``\x1b`` and the like."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text.replace("\r\n", "\n"))


def _visible(character: str) -> str:
    if character in _SHOWN_AS_THEY_ARE or unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def line(text: str) -> str:
    """Return ``text`` printable and on one line."""
    return " ".join(printable(text).split())


def shortened(text: str, *, most: int) -> str:
    """Return ``text`` with at most ``most`` characters, and how many were left out."""
    if len(text) <= most:
        return text
    return f"{text[:most].rstrip()} ... (+{len(text) - most:,} characters)"


def markdown(text: str) -> str:
    """Return ``text`` on one line so that Markdown, and HTML in it, shows it literally."""
    escaped = _MARKDOWN.sub(r"\\\1", line(text)).replace("&", "&amp;")
    return _AUTOLINK.sub(lambda match: f"{match[1]}&#{ord(match[2])};", escaped).replace("@", "&#64;")
