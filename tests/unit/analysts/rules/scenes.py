"""Small conversations, made by hand, and what the rules say of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
from pytest_refinery.digest.grouping import Group
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.traces import prompts
from pytest_refinery.traces.model import Run, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.analysts.rules.findings import Found

Message = dict[str, Any]
EXPECT = "The agent does what it was asked."


def system(text: str) -> list[Message]:
    return [{"role": "system", "content": text}]


def user(text: str, name: str | None = None) -> list[Message]:
    return [{"role": "user", "content": text, **({"name": name} if name else {})}]


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


def case(trace: Trace, *, expect: str = EXPECT, checks: tuple[dict[str, Any], ...] = (), **more: Any) -> Case:  # noqa: ANN401
    """Return what an analyst is given where ``checks`` have been run on the trace."""
    verdicts = run_checks([Check.model_validate(each) for each in checks], trace) if checks else ()
    failures = tuple(each.failure for each in verdicts if each.failure is not None)
    return Case(trace=trace, expect=expect, failures=failures, prompts=prompts.extract(trace), **more)


def group(*run_ids: str) -> Group:
    """Return a group of these runs, as the engine would hand it to an analyst."""
    return Group(name="g01", filename="g01.md", run_ids=run_ids, text="GROUP: g01", tokens=0)


def facts(*parts: list[Message], expect: str = EXPECT) -> TraceFacts:
    return TraceFacts.of(case(talk(*parts), expect=expect))


def found(
    rule: Callable[[TraceFacts], Iterator[Found]], *parts: list[Message], expect: str = EXPECT
) -> list[tuple[str, str]]:
    """Return what a rule finds in a transcript, tested again: the run and the rule of each finding."""
    read = facts(*parts, expect=expect)
    kept = [each for each in rule(read) if each.holds(read)]
    for each in kept:
        for quoted in each.quotes:
            shown = json.dumps(read.case.trace.by_id[quoted.step.run_id].outputs, ensure_ascii=False)
            words = json.dumps(" ".join(quoted.text.split()), ensure_ascii=False)[1:-1]
            assert words in " ".join(shown.replace("\\n", " ").split()), words
    return [(each.step.run_id, each.rule) for each in kept]


def diagnosed(*parts: list[Message], expect: str = EXPECT, checks: tuple[dict[str, Any], ...] = ()) -> Diagnosis:
    """Return the diagnosis of a transcript."""
    return Engine(RulesAnalyst(), Limits()).diagnose(case(talk(*parts), expect=expect, checks=checks))


def rule_of(diagnosis: Diagnosis) -> str:
    """Return the rule that a diagnosis rests on."""
    own = [each for each in diagnosis.findings if each.run_id == diagnosis.responsible_run_id and each.explains]
    return max(own, key=lambda each: each.weight).rule if own else ""
