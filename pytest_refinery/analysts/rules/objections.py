"""What failed, as the rules go back from it: the answer, call or run objected to, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts import values
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.expectations.verdicts import CheckFailure
    from pytest_refinery.traces.conversation import Step

_WANTED = frozenset({"output.contains", "output.matches", "output.equals"})
UNWANTED = frozenset({"output.not_contains", "output.not_matches"})
_BUILT_IN = ("output.", "tools.", "errors.", "runs.", "latency.", "tokens.")


@dataclass(frozen=True)
class Objection:
    """One failed check, beside the facts of the trace."""

    failure: CheckFailure
    facts: TraceFacts

    @property
    def label(self) -> str:
        """What the failed check is called."""
        return self.failure.label

    @property
    def check(self) -> str:
        """The check's own name."""
        return self.failure.check

    @cached_property
    def answer(self) -> Step | None:
        """The agent's answer that is objected to, else its last one."""
        named = self.facts.step_of(self.failure.run_id)
        if named is not None and self.facts.is_agent(named) and named.text.strip():
            return named
        return self.facts.answers[-1] if self.facts.answers else None

    @cached_property
    def unwanted(self) -> tuple[str, ...]:
        """The words objected to, as they stand in the trace."""
        if self.check in UNWANTED:
            text = self.failure.text or _text(self.failure.argument)
            # A pattern that matches an answer whole objects to no words of it.
            is_whole = self.check == "output.not_matches" and self.answer and text.strip() == self.answer.text.strip()
            return (text,) if text and not is_whole else ()
        if self.check.startswith(_BUILT_IN):
            return ()
        words = [quote.text for quote in self.failure.quotes] + ([self.failure.text] if self.failure.text else [])
        return tuple(words) if self._is_comparison else (*words, *self._named_values)

    @property
    def _named_values(self) -> Iterator[str]:
        """Yield the values that a function of the suite, or a judge, names and the answer has."""
        spoken = "\n".join(filter(None, (self.failure.error, self.failure.actual)))
        held = {key for value in self._answered for key in value.keys}
        for value in values.find(spoken, self.facts.cues):
            if held & set(value.keys):
                yield value.text

    @property
    def _answered(self) -> tuple[Value, ...]:
        return self.facts.values[self.answer.number - 1] if self.answer is not None else ()

    @cached_property
    def missing(self) -> str:
        """The words that the answer should have had."""
        is_missing = self.check in _WANTED - {"output.matches"} or (self._is_comparison and self.failure.text is None)
        return _text(self.failure.argument) if is_missing else ""

    @property
    def _is_comparison(self) -> bool:
        """Whether a Python test looked for words in something."""
        return self.check == "assertion" and isinstance(self.failure.argument, str)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls that are objected to."""
        wanted = [(call.run_id, call.tool) for call in self.failure.calls]
        found = []
        for call in self.facts.calls:
            key = next(((run, tool) for run, tool in wanted if tool == call.name and run in call.run_ids), None)
            if key is not None:
                wanted.remove(key)
                found.append(call)
        return tuple(found) or tuple(self._by_tool(wanted))

    def _by_tool(self, wanted: list[tuple[str, str]]) -> Iterator[Call]:
        """Yield calls of the tool, where the run of the objection is not the one that the conversation knows."""
        names = {tool for _, tool in wanted}
        numbers = self.facts.case.trace.numbers
        known = {numbers.get(run, 0) for run, _ in wanted}
        for call in self.facts.calls:
            if call.name in names and (len(known) > 1 or len(self.facts.calls) == 1):
                yield call

    @property
    def tool(self) -> str:
        """The tool that the check is about."""
        return self.failure.tool or (self.failure.argument if self._names_a_tool else "")  # type: ignore[return-value]

    @property
    def _names_a_tool(self) -> bool:
        return self.check in {"tools.called", "tools.not_called"} and isinstance(self.failure.argument, str)

    @cached_property
    def demanded(self) -> Mapping[str, object]:
        """The arguments that a call should have had."""
        found = self.failure.argument
        return found if self.check == "tools.arguments" and isinstance(found, Mapping) else {}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The order of calls that was expected."""
        found = self.failure.argument
        return tuple(map(str, found)) if self.check == "tools.in_order" and isinstance(found, list | tuple) else ()


def of(facts: TraceFacts) -> tuple[Objection, ...]:
    """Return what failed about a case."""
    return tuple(Objection(failure, facts) for failure in facts.case.failures)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def differences(expected: object, actual: object, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Yield where arguments are not the demanded ones: the path, what was demanded and what is there."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, item in expected.items():
            yield from differences(item, actual.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(expected, list) and isinstance(actual, list):
        wanted, there = [_plain(item) for item in expected], [_plain(item) for item in actual]
        yield from ((path, item, None) for item in expected if _plain(item) not in there)
        yield from ((path, None, item) for item in actual if _plain(item) not in wanted)
    elif _plain(expected) != _plain(actual):
        yield path, expected, actual


def _plain(value: object) -> str:
    return folded(values.as_text(value)) if value is not None else ""
