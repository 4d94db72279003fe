"""What a rule finds in a step, in a form that can be tested again before anybody reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Evidence, FailureType
from pytest_refinery.analysts.rules.facts import texts, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_LONGEST_ARGUMENT = 60
_MOST_ARGUMENTS = 6


@dataclass(frozen=True)
class Quoted:
    """Words of a step that show something, and what they show."""

    step: Step
    text: str
    why: str = ""


@dataclass(frozen=True)
class Found:
    """What a rule says about one step.

    Attributes:
        what: A sentence with the words of the trace.
        points: How likely a step that this rule names is the decisive one, 0 to 1, before anything else is known.
        holds: Tests the statement again, on the whole case and in another way than it was found.
        explains: The labels of the failed checks that lie on its way; empty where it was only noticed.
        texts: What it is about: words and values that a failed check or a sentence may speak of.
        tool: The tool that it is about, for the fix.
    """

    rule: str
    step: Step
    what: str
    failure_type: FailureType
    points: float
    holds: Callable[[TraceFacts], bool] = field(compare=False)
    quotes: tuple[Quoted, ...] = ()
    explains: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    tool: str = ""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The quotes as evidence."""
        return tuple(
            Evidence(run_id=quoted.step.run_id, quote=quoted.text, why=quoted.why or self.what)
            for quoted in self.quotes
            if quoted.text
        )


def shown_call(call: Call) -> str:
    """Return a call with its arguments, as a line of code has them."""
    arguments = [f"{key}: {texts.shown(str(value), _LONGEST_ARGUMENT)}" for key, value in call.arguments.items()]
    more = ", …" if len(arguments) > _MOST_ARGUMENTS else ""
    return f"{call.name}({', '.join(arguments[:_MOST_ARGUMENTS])}{more})"


def quoted(facts: TraceFacts, step: Step, words: str, why: str = "") -> Quoted:
    """Return the sentence of ``step`` around ``words``; the words alone where they stand in a call."""
    place = step.text.lower().find(words.lower()) if words else 0
    if place < 0 and any(words in (call.name, *map(str, _leaves(call.arguments))) for call in step.calls):
        return Quoted(step, words, why)
    return Quoted(step, texts.quote(step.text, max(place, 0), facts.cues) if step.text.strip() else words, why)


def _leaves(arguments: object) -> Iterator[object]:
    return values.leaves(arguments if isinstance(arguments, dict) else [arguments])


def said(facts: TraceFacts, step: Step, words: str = "") -> str:
    """Return what a step says around ``words``, in quotation marks."""
    return f"“{texts.shown(quoted(facts, step, words).text, 160)}”"
