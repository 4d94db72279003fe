"""The check ``output``: what the agent answered, in the end or at any time."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field

from pytest_refinery.expectations import answer_schema
from pytest_refinery.expectations.demands import Demand
from pytest_refinery.expectations.fields import Omittable, OneOrMany, Regex, TextValue, refuse, search
from pytest_refinery.expectations.verdicts import Decision, Facts, Verdict, quoted, verdict
from pytest_refinery.traces import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_refinery.traces.answer import Answer
    from pytest_refinery.traces.model import Trace

# Models write typographic quotes and dashes, experts type what the keyboard has.
_QUOTES_AND_DASHES = str.maketrans(
    dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″", '"') | dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001
)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_TYPOGRAPHY = _QUOTES_AND_DASHES | _INVISIBLE
Span: TypeAlias = tuple[int, int]
# No part of a longer word or figure: neither 12 nor 2.5 nor 1,200 has the figure 2 in it.
_ALONE = r"(?<!\w)(?<!\d[.,]){}(?!\w)(?![.,]\d)"
_OF_WORDS = ("contains", "not_contains")
_FENCE = re.compile(r"\A```\w*\n(?P<body>.*)\n```\Z", re.DOTALL)


def _usable(schema: dict[str, Any]) -> dict[str, Any]:
    if fault := answer_schema.fault(schema):
        refuse(f"'json_schema' is not a JSON Schema: {fault}.")
    return schema


class Output(Demand):
    """The agent's final answer, or all of its answers."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"where", "whole_words"})

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

    where: Literal["last", "any"] = Field(
        default="last",
        alias="in",
        description="Where to look: in the 'last' answer, or in 'any' of the answers that the agent gave on the way.",
    )
    whole_words: bool = Field(
        default=False,
        strict=True,
        description="Whether the texts of 'contains' and 'not_contains' must stand alone: 2 is not found in 12 or 2.5.",
    )

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield a verdict for each text, each pattern and the schema; without an answer, each of them fails."""
        found = (answer.of(trace),) if self.where == "last" else answer.all_of(trace)
        for field, decide in _DECISIONS.items():
            is_whole = self.whole_words and field in _OF_WORDS
            of_one = partial(decide, find=partial(_span, is_whole=True)) if is_whole else decide
            for demanded in _each(getattr(self, field)):
                yield _decided(field, found, partial(_of_answer, of_one, demanded))


def _each(demanded: object) -> tuple[object, ...]:
    if isinstance(demanded, tuple):
        return demanded
    return () if demanded is None else (demanded,)


def _decided(field: str, found: Sequence[Answer], decide: Callable[[Answer], Decision]) -> Verdict:
    """Return the verdict on all answers: one of them must meet a demand, none of them may break a prohibition."""
    decided = [(each.run, decide(each)) for each in found]
    is_prohibition = field.startswith("not_")
    run, decision = next((pair for pair in decided if pair[1].passed is not is_prohibition), decided[-1])
    if len(found) > 1:
        before, after = "the answer", "each answer" if is_prohibition else "an answer"
        decision = decision._replace(expected=decision.expected.replace(before, after, 1))
    return verdict(f"output.{field}", run, decision)


def _of_answer(decide: Callable[..., Decision], demanded: object, found: Answer) -> Decision:
    return _undelivered(found, demanded) if found.text is None else decide(found.text, demanded)


def _undelivered(found: Answer, demanded: object) -> Decision:
    error = found.run.error
    reason = f"none, because the run failed with {quoted(error)}" if error else "none"
    return Decision(
        passed=False, expected="an answer", actual=reason, facts=Facts(argument=demanded, error=error or None)
    )


def _found(
    text: str, demanded: str, *, find: Callable[[str, str], Span | None], verb: str, is_prohibition: bool = False
) -> Decision:
    """Decide whether what ``find`` looks for is in a text, where it must be or must not be."""
    span = find(demanded, text)
    expected = f"the answer {'not to' if is_prohibition else 'to'} {verb} {quoted(demanded)}"
    facts = Facts(argument=demanded, text=text[slice(*span)] if span and is_prohibition else None)
    return Decision((span is None) is is_prohibition, expected, quoted(text, at=span[0] if span else 0), facts)


def _equals(text: str, demanded: str) -> Decision:
    at = next((place for place, pair in enumerate(zip(text.strip(), demanded, strict=False)) if len(set(pair)) > 1), 0)
    expected, actual = f"the answer {quoted(demanded, at=at)}", quoted(text.strip(), at=at)
    return Decision(text.strip() == demanded, expected, actual, Facts(argument=demanded, text=text))


def folded(text: str) -> str:
    """Return ``text`` as ``contains`` compares it: without case, runs of white space and typography."""
    plain = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY).casefold()
    # Folding case takes some characters apart again.
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def _span(wanted: str, text: str, *, is_whole: bool = False) -> Span | None:
    """Return where ``wanted`` stands in ``text`` as it was written, compared like ``folded``."""
    alone = _ALONE if is_whole else "{}"
    if not re.search(alone.format(re.escape(folded(wanted))), folded(text)):
        return None
    words = r"\s+".join(map(re.escape, wanted.translate(_TYPOGRAPHY).split()))
    match = re.search(alone.format(words), text.translate(_QUOTES_AND_DASHES), re.IGNORECASE)
    return match.span() if match else _folded_span(folded(wanted), text)


def _folded_span(wanted: str, text: str) -> Span:
    """Return the shortest span around the first place whose folding hides where it is."""
    places = range(len(text) + 1)
    end = bisect_left(places, 1, key=lambda place: wanted in folded(text[:place]))
    start = bisect_left(places, 1, hi=end, key=lambda place: wanted not in folded(text[place:end]))
    return max(start - 1, 0), end


def _meets(text: str, schema: dict[str, Any]) -> Decision:
    expected = "the answer to be JSON that meets the schema"
    facts = Facts(argument=schema, text=text)
    try:
        value = json.loads(_unfenced(text))
    except (ValueError, RecursionError):
        return Decision(passed=False, expected=expected, actual=f"no JSON: {quoted(text)}", facts=facts)
    violation = answer_schema.violation(value, schema)
    return Decision(violation is None, expected, quoted(text) if violation is None else violation, facts)


def _unfenced(text: str) -> str:
    match = _FENCE.match(text.strip())
    return match["body"] if match else text


_DECISIONS: dict[str, Callable[..., Decision]] = {
    "contains": partial(_found, find=_span, verb="contain"),
    "not_contains": partial(_found, find=_span, verb="contain", is_prohibition=True),
    "matches": partial(_found, find=search, verb="match"),
    "not_matches": partial(_found, find=search, verb="match", is_prohibition=True),
    "equals": _equals,
    "json_schema": _meets,
}
