"""Makes text from a trace harmless where it is shown: a trace says whatever its users said."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_NAME = 120
_NOT_ASCII = re.compile(r"[^ -~\n\t]")
# Control, format (bidi overrides, zero-width), surrogate and private characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")
# GitHub obeys a line that begins with "::", however it is indented, and "##[...]" anywhere; so do others "##vso[".
_COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:)|#(?=#\w*\[)")
# Also inside of JSON, where a backslash is two.
_HOME = re.compile(
    r"(?:/home|/Users)/[^/\s'\"\\]+(?=/)|(?<![\w/])/root(?=/)|\b[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/)[^\\/\s'\"]+"
)
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|www)(:|\.)")


def printable(text: str) -> str:
    r"""Return ``text`` with all that could steer a terminal or the log of a CI shown as ``\x1b`` and the like."""
    if not text.isprintable():
        text = _NOT_ASCII.sub(_visible, text.replace("\r\n", "\n"))
    return inert(text)


def inert(text: str) -> str:
    """Return ``text`` without what a CI takes for a command in the middle of a log."""
    return _COMMAND.sub(_defused, text)


def _defused(found: re.Match[str]) -> str:
    return f"{found[1]}\\x3a" if found[1] is not None else "\\x23"


def _visible(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    # XML has no noncharacters such as U+FFFE, however they are written.
    is_character = (code & 0xFFFE) != 0xFFFE and not 0xFDD0 <= code <= 0xFDEF  # noqa: PLR2004
    if is_character and unicodedata.category(character) not in _UNSEEN:
        return character
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def line(text: str) -> str:
    """Return ``text`` printable and on one line."""
    return " ".join(printable(text).split())


def name(text: str) -> str:
    """Return a name from a trace on one line of bearable length."""
    return shortened(line(text), most=_LONGEST_NAME)


def without_home(text: str) -> str:
    """Return ``text`` with ``~`` for the home directories in it: they name people, and no one else has them."""
    return _HOME.sub("~", text)


def shortened(text: str, *, most: int) -> str:
    """Return ``text`` with at most ``most`` characters, and how many were left out."""
    if len(text) <= most:
        return text
    return f"{text[:most].rstrip()} ... (+{len(text) - most:,} characters)"


def markdown(text: str) -> str:
    """Return ``text`` on one line so that Markdown, and HTML in it, shows it literally."""
    escaped = _MARKDOWN.sub(r"\\\1", line(text)).replace("&", "&amp;")
    return _AUTOLINK.sub(lambda match: f"{match[1]}&#{ord(match[2])};", escaped).replace("@", "&#64;")
