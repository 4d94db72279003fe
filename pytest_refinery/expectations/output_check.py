"""The check ``output``: what the agent answered in the end."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from pytest_refinery.expectations import answer_schema
from pytest_refinery.expectations.demands import Demand
from pytest_refinery.expectations.fields import Omittable, OneOrMany, Regex, TextValue, compiled, refuse
from pytest_refinery.expectations.verdicts import Decision, Verdict, quoted, verdict
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.traces.answer import Answer
    from pytest_refinery.traces.model import Trace

# Models write typographic quotes and dashes, experts type what the keyboard has.
_QUOTES_AND_DASHES = str.maketrans(
    dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″", '"') | dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001
)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_TYPOGRAPHY = _QUOTES_AND_DASHES | _INVISIBLE
_FENCE = re.compile(r"\A```\w*\n(?P<body>.*)\n```\Z", re.DOTALL)


def _usable(schema: dict[str, Any]) -> dict[str, Any]:
    if fault := answer_schema.fault(schema):
        refuse(f"'json_schema' is not a JSON Schema: {fault}.")
    return schema


class Output(Demand):
    """The agent's final answer."""

    contains: OneOrMany[TextValue] = Field(
        default=(),
        description="Texts that must occur. Case, white space and the kind of quotes and dashes do not count.",
    )
    not_contains: OneOrMany[TextValue] = Field(
        default=(), description="Texts that must not occur; compared like 'contains'."
    )
    matches: OneOrMany[Regex] = Field(
        default=(), description="Regular expressions (Python's) that must be found somewhere."
    )
    not_matches: OneOrMany[Regex] = Field(
        default=(), description="Regular expressions that must not be found anywhere."
    )
    equals: Omittable[TextValue] = Field(default=None, description="The whole answer, white space around it aside.")
    json_schema: Omittable[Annotated[dict[str, Any], AfterValidator(_usable)]] = Field(
        default=None, description="A JSON Schema that the answer, read as JSON, must meet."
    )

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield a verdict for each text, each pattern and the schema; without an answer, each of them fails."""
        found = answer.of(trace)
        for field, decide in _DECISIONS.items():
            for demanded in _each(getattr(self, field)):
                decision = _undelivered(found) if found.text is None else decide(found.text, demanded)
                yield verdict(f"output.{field}", found.run, decision)


def _each(demanded: object) -> tuple[object, ...]:
    if isinstance(demanded, tuple):
        return demanded
    return () if demanded is None else (demanded,)


def _undelivered(found: Answer) -> Decision:
    reason = f"none, because the run failed with {quoted(found.run.error)}" if found.run.error else "none"
    return Decision(passed=False, expected="an answer", actual=reason)


def _contains(text: str, demanded: str) -> Decision:
    is_there, shown = _looked_up(demanded, text)
    return Decision(is_there, f"the answer to contain {quoted(demanded)}", shown)


def _not_contains(text: str, unwanted: str) -> Decision:
    is_there, shown = _looked_up(unwanted, text)
    return Decision(not is_there, f"the answer not to contain {quoted(unwanted)}", shown)


def _looked_up(words: str, text: str) -> tuple[bool, str]:
    is_there = folded(words) in folded(text)
    return is_there, quoted(text, at=_place(words, text) if is_there else 0)


def _matches(text: str, pattern: str) -> Decision:
    is_there, shown = _searched(pattern, text)
    return Decision(is_there, f"the answer to match {quoted(pattern)}", shown)


def _not_matches(text: str, pattern: str) -> Decision:
    is_there, shown = _searched(pattern, text)
    return Decision(not is_there, f"the answer not to match {quoted(pattern)}", shown)


def _searched(pattern: str, text: str) -> tuple[bool, str]:
    match = compiled(pattern).search(text)
    return match is not None, quoted(text, at=match.start() if match else 0)


def _equals(text: str, demanded: str) -> Decision:
    at = next((place for place, pair in enumerate(zip(text.strip(), demanded, strict=False)) if len(set(pair)) > 1), 0)
    return Decision(text.strip() == demanded, f"the answer {quoted(demanded, at=at)}", quoted(text.strip(), at=at))


def folded(text: str) -> str:
    """Return ``text`` as ``contains`` compares it: without case, runs of white space and typography."""
    plain = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY).casefold()
    # Folding case takes some characters apart again.
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def _place(demanded: str, text: str) -> int:
    """Return where ``demanded`` begins in the text as it was written; 0 where folding hides the place."""
    words = r"\s+".join(map(re.escape, demanded.translate(_TYPOGRAPHY).split()))
    match = re.search(words, text.translate(_QUOTES_AND_DASHES), re.IGNORECASE)
    return match.start() if match else 0


def _meets(text: str, schema: dict[str, Any]) -> Decision:
    expected = "the answer to be JSON that meets the schema"
    try:
        value = json.loads(_unfenced(text))
    except (ValueError, RecursionError):
        return Decision(passed=False, expected=expected, actual=f"no JSON: {quoted(text)}")
    violation = answer_schema.violation(value, schema)
    return Decision(violation is None, expected, quoted(text) if violation is None else violation)


def _unfenced(text: str) -> str:
    match = _FENCE.match(text.strip())
    return match["body"] if match else text


_DECISIONS: dict[str, Callable[[str, Any], Decision]] = {
    "contains": _contains,
    "not_contains": _not_contains,
    "matches": _matches,
    "not_matches": _not_matches,
    "equals": _equals,
    "json_schema": _meets,
}
