"""Small conversations, made by hand, and what a detector says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysis.ports import Case
from pytest_refinery.digest.grouping import Group
from pytest_refinery.llm.builtin.reading import Reading
from pytest_refinery.traces.model import Run, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.llm.builtin.reading import Sign

Message = dict[str, Any]


def system(text: str) -> list[Message]:
    return [{"role": "system", "content": text}]


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def agent(text: str, name: str | None = None) -> list[Message]:
    return [{"role": "assistant", "content": text, **({"name": name} if name else {})}]


def did(tool: str, arguments: dict[str, Any], result: object) -> list[Message]:
    """Return a call and its result, which is written as JSON unless it is a text."""
    call = {"id": f"{tool}-{json.dumps(arguments)}", "type": "function"}
    function = {"name": tool, "arguments": json.dumps(arguments)}
    text = result if isinstance(result, str) else json.dumps(result)
    return [
        {"role": "assistant", "content": "", "tool_calls": [{**call, "function": function}]},
        {"role": "tool", "tool_call_id": call["id"], "content": text},
    ]


def speaks(role: str, text: str) -> list[Message]:
    """Return a message of somebody whose role is no common one, such as ``Leader (-> Searcher)``."""
    return [{"role": role, "content": text}]


def talk(*parts: list[Message]) -> Trace:
    """Return a transcript; run ``"0"`` is its first message."""
    messages = [message for part in parts for message in part]
    runs = tuple(
        Run(id=str(place), name=message.get("name") or message["role"], kind="message", outputs=message)
        for place, message in enumerate(messages)
    )
    return Trace(id="t", name="talk", runs=runs, format="transcript")


def case(trace: Trace, *, expect: str = "The agent does what it was asked.", **more: Any) -> Case:  # noqa: ANN401
    return Case(trace=trace, expect=expect, **more)


def group(*run_ids: str) -> Group:
    """Return a group of these runs, as the engine would hand it to an analyst."""
    return Group(name="g01", filename="g01.md", run_ids=run_ids, text="GROUP: g01", tokens=0)


def signs(
    detector: Callable[[Reading], Iterator[Sign]],
    *parts: list[Message],
    expect: str = "The agent does what it was asked.",
) -> list[tuple[str, str]]:
    """Return what a detector finds in a transcript: the run and the rule of each sign."""
    reading = Reading.of(case(talk(*parts), expect=expect))
    found = list(detector(reading))
    for sign in found:
        quoted = sign.quoted or sign.step
        shown = " ".join(json.dumps(reading.case.trace.by_id[quoted.run_id].outputs, ensure_ascii=False).split())
        said = " ".join(sign.quote.split())
        assert said in shown or json.dumps(said, ensure_ascii=False)[1:-1] in shown or said == quoted.speaker
    return [(sign.step.run_id, sign.rule) for sign in found]
