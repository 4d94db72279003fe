"""Where two traces of one expectation part, and what differed before it. Pure.

Ids, times and the order of parallel calls differ from run to run and mean nothing; they are not compared.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_refinery.analysis.frozen import Frozen
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.traces.model import Message, Run, Trace

Aspect: TypeAlias = Literal["model", "settings", "prompt", "tool schema", "question", "tool result", "call", "answer"]
"""What differs. The last two are what the agent did; all others are what it was given."""

_SHOWN = 160
_CHANCE = re.compile(
    r"\b[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\b"  # a UUID
    r"|\b(?:call|run|msg|resp|chatcmpl|toolu|fc|rs|lc_run)_?-?-?[0-9A-Za-z]*\d[0-9A-Za-z-]{5,}\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"  # a moment
)
_BY_CHANCE = frozenset({"ls_run_depth", "request_id", "run_id", "seed", "stream", "trace_id", "user"})
_MODEL_NAMES = ("model", "model_name", "ls_model_name", "deployment_name")


class Difference(Frozen):
    """One thing that differs between two traces; ``step`` is its 1-based place in the later one."""

    aspect: Aspect
    step: int
    name: str
    before: str
    after: str


class Divergence(Frozen):
    """Where a trace parts from an earlier one.

    Attributes:
        given: What the agent was given otherwise until it acted otherwise: prompt, model, settings, tools, results.
        did: The first thing that it did otherwise, ``None`` where it went on as before.
    """

    given: tuple[Difference, ...] = ()
    did: Difference | None = None


@dataclass(frozen=True)
class _Step:
    """A call of a model or a tool as it is compared: texts by aspect, what was given apart from what was done."""

    number: int
    name: str
    given: tuple[tuple[Aspect, str], ...]
    did: tuple[Aspect, str]
    result: str = ""


def first(before: Trace, after: Trace) -> Divergence | None:
    """Return where ``after`` parts from ``before``, ``None`` where it does not."""
    given: dict[tuple[Aspect, str], Difference] = {}
    for was, now in zip_longest(_steps(before), _steps(after)):
        if was is None or now is None:
            return Divergence(given=tuple(given.values()), did=_one_sided(was, now, last=len(after.runs)))
        for (aspect, old), (_, new) in zip(was.given, now.given, strict=False):
            if old != new:
                given.setdefault((aspect, f"{old}\0{new}"), _difference(aspect, now, old, new))
        if was.did != now.did:
            return Divergence(given=tuple(given.values()), did=_difference(now.did[0], now, was.did[1], now.did[1]))
        if was.result != now.result:
            given.setdefault(("tool result", now.name), _difference("tool result", now, was.result, now.result))
    return Divergence(given=tuple(given.values())) if given else None


def around(trace: Trace, number: int) -> list[tuple[int, str]]:
    """Return a step of a trace and the ones before and after it that act, each with its 1-based number, as texts."""
    steps = sorted(_steps(trace), key=lambda step: step.number)
    before = [step for step in steps if step.number < number][-1:]
    after = [step for step in steps if step.number > number][:1]
    here = [step for step in steps if step.number == number]
    return [(step.number, _told(step)) for step in (*before, *here, *after)]


def _told(step: _Step) -> str:
    did = step.did[1] if step.did[0] == "call" else f"{step.name}: {step.did[1] or step.given[-1][1]}"
    return f"{did} -> {step.result}" if step.result else did


def _one_sided(was: _Step | None, now: _Step | None, *, last: int) -> Difference | None:
    step = now or (replace(was, number=last) if was else None)
    if step is None:
        return None
    old, new = (each.did[1] if each else "nothing: the run ended before" for each in (was, now))
    return _difference(step.did[0], step, old, new)


def _difference(aspect: Aspect, step: _Step, old: str, new: str) -> Difference:
    start = _common(old, new)
    return Difference(
        aspect=aspect, step=step.number, name=step.name, before=_around(old, start), after=_around(new, start)
    )


def _common(old: str, new: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _around(text: str, start: int) -> str:
    """Return the part of a text in which it begins to differ."""
    begin = max(0, start - _SHOWN // 4)
    cut = text[begin : begin + _SHOWN]
    return f"{'... ' if begin else ''}{cut}{' ...' if begin + _SHOWN < len(text) else ''}"


def _steps(trace: Trace) -> list[_Step]:
    acting = [run for run in trace.runs if run.kind in {RunKind.LLM, RunKind.TOOL, RunKind.RETRIEVER, RunKind.MESSAGE}]
    found: list[_Step] = []
    together: list[_Step] = []
    end = None
    for run in acting:
        step = _step(run, trace.numbers[run.id])
        is_tool = run.kind in {RunKind.TOOL, RunKind.RETRIEVER}
        is_parallel = is_tool and (not together or end is None or run.started_at is None or run.started_at < end)
        if not is_parallel and together:
            found += _in_one_order(together)
            together, end = [], None
        if not is_tool:
            found.append(step)
            continue
        together.append(step)
        end = max(filter(None, (end, run.ended_at)), default=None)
    return [*found, *_in_one_order(together)]


def _in_one_order(steps: Iterable[_Step]) -> list[_Step]:
    return sorted(steps, key=lambda step: (step.did, step.result))


def _step(run: Run, number: int) -> _Step:
    if run.kind == RunKind.MESSAGE:
        said = _message_text(run)
        aspect: Aspect = "answer"
        speaks = run.name in {"assistant", "tool"}
        return _Step(number, run.name, () if speaks else (("question", said),), (aspect, said if speaks else ""))
    if run.kind != RunKind.LLM:
        return _Step(number, run.name, (), ("call", f"{run.name} {_text(run.inputs)}"), _text(run.error or run.outputs))
    told = messages.read(run.inputs).messages
    model = next((str(run.settings[key]) for key in _MODEL_NAMES if key in run.settings), "")
    others = {key: value for key, value in run.settings.items() if key not in {*_MODEL_NAMES, *_BY_CHANCE, "tools"}}
    given: tuple[tuple[Aspect, str], ...] = (
        ("model", model),
        ("settings", _text(others)),
        ("prompt", _masked("\n".join(each.text for each in told if each.role == "system"))),
        ("tool schema", _text(run.settings.get("tools"))),
        ("question", _masked("\n".join(each.text for each in told if each.role == "user")) or _unread(run, told)),
    )
    answered = messages.read(run.outputs).messages
    said = "\n".join(_said(answered)) if answered else _text(run.outputs)
    return _Step(number, run.name, given, ("answer", _masked(said) or _text(run.error)))


def _unread(run: Run, told: Sequence[Message]) -> str:
    return "" if told else _text(run.inputs)


def _message_text(run: Run) -> str:
    told = messages.read(run.outputs).messages or messages.read(run.inputs).messages
    return _masked("\n".join(_said(told)) or _text(run.outputs or run.inputs))


def _said(told: Iterable[Message]) -> Iterator[str]:
    for message in told:
        if message.text:
            yield message.text
        yield from sorted(f"{call.name}({_text(call.arguments)})" for call in message.tool_calls)


def _text(value: object) -> str:
    if value is None:
        return ""
    read = messages.read(value).messages if not isinstance(value, str) else ()
    if read:
        return _masked("\n".join(_said(read)))
    return _masked(value if isinstance(value, str) else json.dumps(_plain(value), sort_keys=True, default=str))


def _plain(value: object) -> object:
    return {key: item for key, item in value.items() if key not in _BY_CHANCE} if isinstance(value, dict) else value


def _masked(text: str) -> str:
    return _CHANCE.sub("<id or time>", text)
