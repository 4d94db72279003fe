"""What a tool's result says of itself: whether it failed, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.analysts.rules.facts.cues import Cues
    from pytest_refinery.traces.conversation import Step

_LOOKED_AT = 4_000
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\)", re.MULTILINE)
_RAISED = re.compile(r"^[ \t]{0,8}[\w.]{0,80}(?:Error|Exception|Warning)\b[:(]", re.MULTILINE)
# Shells and code runners in their own words: "exit code 1", "exitcode: 2", "returned non-zero exit status 127".
_EXIT = re.compile(r"\bexit(?:ed)?[ _-]?(?:code|status|value)?(?: with)?[ :=]{0,3}(?P<code>-?\d{1,4})\b", re.IGNORECASE)
_HTTP = re.compile(r"\b(?:http|status|code|error)\W{0,3}(?:4|5)\d\d\b", re.IGNORECASE)
_SERVER = re.compile(r"\b(?:429|50[0234])\b")
_ERROR_KEYS = ("error", "errors", "exception", "is_error")
_DENIED_KEYS = ("success", "ok", "succeeded")


def parsed(text: str) -> object:
    """Return the JSON value that a text holds, ``None`` where it holds none."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def has_failed(step: Step, value: object, cues: Cues) -> bool:
    """Tell whether a result reports that its call failed; ``value`` is its JSON."""
    if step.is_error:
        return True
    if isinstance(value, Mapping):
        return _says_so(value)
    head = step.text.strip()[:_LOOKED_AT]
    code = _EXIT.search(head[:200])
    if code is not None:
        return code["code"] != "0"
    begins = cues.pattern("failed").match(head.lstrip("\"'([{*# \n")[:80])
    raised = _RAISED.match(head.partition("\n")[0])
    return bool(begins or raised) or bool(_TRACEBACK.search(head) or _TRACEBACK.search(step.text[-_LOOKED_AT:]))


def _says_so(value: Mapping[object, object]) -> bool:
    stated = any(value.get(key) for key in _ERROR_KEYS)
    denied = any(value.get(key) is False for key in _DENIED_KEYS)
    status = value.get("status")
    return stated or denied or (isinstance(status, str) and status.lower() in {"error", "failed", "failure"})


def is_outage(text: str, cues: Cues) -> bool:
    """Tell whether an error is a service that did not answer, which no other call would have avoided."""
    head = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}" if len(text) > _LOOKED_AT else text
    return bool(cues.find("outage", head) or _SERVER.search(head[:400]))


def is_missing_record(text: str, cues: Cues) -> bool:
    """Tell whether an error is a record that was not found."""
    return bool(cues.find("not_found", text[:600]))


def is_refusal(text: str, cues: Cues) -> bool:
    """Tell whether an error says that the state of a record does not allow the call."""
    return bool(cues.find("state", text[:600])) and not is_missing_record(text, cues)


def message(text: str) -> str:
    """Return the line that names the error: the last that raised one, else the first."""
    raised = [found.start() for found in _RAISED.finditer(text)]
    start = raised[-1] if raised else 0
    line = text[start:].strip().partition("\n")[0]
    value = parsed(text)
    stated = next(_stated(value), "") if isinstance(value, Mapping) else ""
    return stated or line.strip()


def _stated(value: Mapping[object, object]) -> Iterator[str]:
    for key in (*_ERROR_KEYS, "message", "detail"):
        inner = value.get(key)
        if isinstance(inner, str) and inner.strip():
            yield inner
        elif isinstance(inner, Mapping):
            yield from _stated(inner)
