"""The check ``tools``: which tools were called, in which order and with what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field, StrictBool, WithJsonSchema

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import near_names, tool_calls
from pytest_refinery.expectations.demands import Demand
from pytest_refinery.expectations.fields import Count, Omittable, OneOrMany, TextValue, refuse
from pytest_refinery.expectations.verdicts import Decision, Facts, ObjectedCall, Verdict, counted, quoted, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.expectations.tool_calls import Call
    from pytest_refinery.traces.model import Run, Trace

ALL_TOOLS = "*"
"""The name that stands for all tools together in ``at_most``."""


def _for_all_tools(limit: object) -> object:
    if isinstance(limit, Mapping):
        return limit
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        refuse("'at_most' is a number of calls, or a mapping of tools to such numbers.")
    return {ALL_TOOLS: limit}


_COUNT_SCHEMA = {"type": "integer", "minimum": 0}
Limits = Annotated[
    dict[TextValue, Count],
    BeforeValidator(_for_all_tools),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [_COUNT_SCHEMA, {"type": "object", "additionalProperties": _COUNT_SCHEMA, "minProperties": 1}]}
    ),
]


_LISTED = 12
# Where a call that is missing in the trace would make a decision pass.
_LIMITS = frozenset({"not_called", "at_most"})
_NO_SUCH = "the trace calls no tool of the name"
_Decided: TypeAlias = "tuple[Run | None, Decision]"
_Decide: TypeAlias = "Callable[[Sequence[Call], Any], _Decided]"


class Tools(Demand):
    """The tools that the agent called."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"any_order"})
    called: OneOrMany[TextValue] = Field(default=(), description="Tools that must have been called.")
    not_called: OneOrMany[TextValue] = Field(default=(), description="Tools that must not have been called.")
    in_order: OneOrMany[TextValue] = Field(
        default=(), description="Tools that must have been called in this order; others may lie between them."
    )
    arguments: dict[TextValue, dict[str, Any]] = Field(
        default={},
        min_length=1,
        description="For each tool, arguments that one of its calls must have had; it may have had others beside them.",
    )
    any_order: StrictBool = Field(
        default=False, description="Whether lists in 'arguments' may have their items in any order."
    )
    at_most: Omittable[Limits] = Field(
        default=None, description="How many calls there may be: a number for all tools, or a number for each."
    )

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield a verdict for each tool, and one for the order.

        Raises:
            CheckError: A decision rests on a call that is not in the trace, and calls may be missing in it.
        """
        calls = tool_calls.of(trace)
        for field, decide, demanded in self._demands():
            run, decision = decide(calls, demanded)
            if trace.calls_unknown and decision.passed is (field in _LIMITS):
                msg = f"tools cannot be decided: {trace.calls_unknown}."
                raise CheckError(msg)
            yield verdict(f"tools.{field}", run or trace.root, decision)

    def _demands(self) -> Iterator[tuple[str, _Decide, Any]]:
        yield from (("called", _called, name) for name in self.called)
        yield from (("not_called", _not_called, name) for name in self.not_called)
        if self.in_order:
            yield "in_order", _in_order, self.in_order
        arguments = partial(_arguments, any_order=self.any_order)
        yield from (("arguments", arguments, item) for item in self.arguments.items())
        yield from (("at_most", _at_most, item) for item in (self.at_most or {}).items())


def _called(calls: Sequence[Call], name: str) -> _Decided:
    run = next((call.run for call in calls if call.name == name), None)
    facts = Facts(argument=name, tool=name)
    return run, Decision(run is not None, f"a call of {quoted(name)}", _summary(calls), facts)


def _not_called(calls: Sequence[Call], name: str) -> _Decided:
    unwanted = [call for call in calls if call.name == name]
    near_names.refuse_misspelt(name, (call.name for call in calls), what=f"tools.not_called: {_NO_SUCH}")
    facts = Facts(argument=name, tool=name, calls=_objected(unwanted))
    decision = Decision(not unwanted, f"no call of {quoted(name)}", _summary(calls), facts)
    return (unwanted[0].run if unwanted else None), decision


def _in_order(calls: Sequence[Call], names: Sequence[str]) -> _Decided:
    rest, run = iter(calls), None
    expected = f"calls in the order {_names(names)}"
    for name in names:
        found = next((call for call in rest if call.name == name), None)
        if found is None:
            # Those that came, but too early.
            early = [call for call in calls if call.name == name]
            facts = Facts(argument=list(names), tool=name, calls=_objected(early))
            actual = _out_of_order(name, run, calls)
            return run, Decision(passed=False, expected=expected, actual=actual, facts=facts)
        run = found.run
    return run, Decision(passed=True, expected=expected, actual=_sequence(calls))


def _out_of_order(name: str, last: Run | None, calls: Sequence[Call]) -> str:
    after = f" after {quoted(last.name)}" if last is not None else ""
    return f"no {quoted(name)}{after}; the calls were {_sequence(calls)}" if calls else "no tool call at all"


def _objected(calls: Sequence[Call]) -> tuple[ObjectedCall, ...]:
    return tuple(ObjectedCall(call.run.id, call.name, call.readings[-1]) for call in calls)


def _arguments(calls: Sequence[Call], demanded: tuple[str, Mapping[str, Any]], *, any_order: bool) -> _Decided:
    name, subset = demanded
    made = [call for call in calls if call.name == name]
    compared = [(_nearest(call, subset, any_order=any_order), call) for call in made]
    expected = f"a call of {quoted(name)} with {_shown(subset)}"
    facts = Facts(argument=dict(subset), tool=name, calls=_objected(made))
    if not compared:
        return None, Decision(passed=False, expected=expected, actual=_summary(calls), facts=facts)
    differences, call = min(compared, key=lambda pair: len(pair[0]))
    if not differences:
        return call.run, Decision(passed=True, expected=expected, actual=_shown(call.readings[0]))
    nearest = f"{counted(len(compared), 'call')}, at best with {'; '.join(differences)}"
    return call.run, Decision(passed=False, expected=expected, actual=nearest, facts=facts)


def _nearest(call: Call, subset: Mapping[str, Any], *, any_order: bool) -> list[str]:
    readings = (_ordered_like(subset, reading) if any_order else reading for reading in call.readings)
    return min((list(_differences(subset, reading, "")) for reading in readings), key=len)


def _ordered_like(expected: object, actual: object) -> object:
    """Return ``actual`` with the items of its lists in the places where ``expected`` has what they meet."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return {key: _ordered_like(expected[key], item) if key in expected else item for key, item in actual.items()}
    if not isinstance(expected, list) or not isinstance(actual, list) or len(expected) != len(actual):
        return actual
    items = [[_ordered_like(wanted, item) for item in actual] for wanted in expected]
    fits = [
        [other for other, item in enumerate(row) if not any(_differences(wanted, item, ""))]
        for wanted, row in zip(expected, items, strict=True)
    ]
    taken = _assigned(fits)
    rest = iter([other for other in range(len(actual)) if other not in taken.values()])
    return [items[place][taken[place] if place in taken else next(rest)] for place in range(len(expected))]


def _assigned(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return for as many places as can be one of those that fit it, each once (by augmenting paths)."""
    owner: dict[int, int] = {}

    def place(which: int, tried: set[int]) -> bool:
        for other in fits[which]:
            if other not in tried:
                tried.add(other)
                if other not in owner or place(owner[other], tried):
                    owner[other] = which
                    return True
        return False

    for which in range(len(fits)):
        place(which, set())
    return {which: other for other, which in owner.items()}


def _differences(expected: object, actual: object, path: str) -> Iterator[str]:
    """Yield where ``actual`` is not what ``expected`` demands; mappings may have more keys, lists not more items."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, item in expected.items():
            inner = f"{path}.{key}" if path else str(key)
            if key in actual:
                yield from _differences(item, actual[key], inner)
            else:
                yield f"no {quoted(inner)}"
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (item, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(item, other, f"{path}[{index}]")
    elif not _is_same(expected, actual):
        yield f"{quoted(path or 'arguments')} = {_shown(actual)}"


def _is_same(expected: object, actual: object) -> bool:
    # In Python True equals 1; in a tool's arguments it does not.
    return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)


def _at_most(calls: Sequence[Call], demanded: tuple[str, int]) -> _Decided:
    name, limit = demanded
    chosen = [call for call in calls if name in {ALL_TOOLS, call.name}]
    if name != ALL_TOOLS:
        near_names.refuse_misspelt(name, (call.name for call in calls), what=f"tools.at_most: {_NO_SUCH}")
    run = chosen[limit].run if len(chosen) > limit else None
    of_what = "" if name == ALL_TOOLS else f" of {quoted(name)}"
    expected = f"at most {counted(limit, 'tool call')}{of_what}"
    actual = f"{len(chosen):,}: {_sequence(chosen)}" if chosen else "none"
    facts = Facts(
        argument=limit,
        tool=None if name == ALL_TOOLS else name,
        calls=_objected(chosen[limit:]),
        number=len(chosen),
        limit=limit,
    )
    return run, Decision(run is None, expected, actual, facts)


def _summary(calls: Sequence[Call]) -> str:
    tally = Counter(call.name for call in calls)
    shown = [f"{quoted(name)} {_times(number)}" for name, number in tally.items()]
    return f"calls of {_cut(shown)}" if shown else "no tool call at all"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _sequence(calls: Sequence[Call]) -> str:
    return _names([call.name for call in calls])


def _names(names: Sequence[str]) -> str:
    return _cut([quoted(name) for name in names])


def _cut(shown: Sequence[str]) -> str:
    more = f" and {len(shown) - _LISTED:,} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def _shown(value: object) -> str:
    return quoted(json.dumps(value, ensure_ascii=False, default=str))
