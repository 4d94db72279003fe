"""Texts inside of ``<script>`` and ``<style>``, where escaping for HTML does not reach."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from pytest_refinery.reports.escape import printable

# Inside of JSON these can only stand in texts, where each may be written as an escape.
_MARKUP = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def json_text(written: str) -> str:
    """Return JSON as it may stand in a ``<script>`` element.

    Nothing in it can end the element, and characters that would steer the text's direction are spelled out.
    """
    if not written.isprintable():
        written = _NOT_ASCII.sub(lambda found: _spelled(found[0]), written)
    # For megabytes this is ten times as fast as one pass of translate.
    for character, escape in _MARKUP.items():
        written = written.replace(character, escape)
    return written


@lru_cache(maxsize=4096)
def _spelled(character: str) -> str:
    return printable(character).replace("\\", "\\\\")


def source_hash(content: str) -> str:
    """Return the source expression that lets a content security policy accept an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
