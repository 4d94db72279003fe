"""The question what the failures of a session have in common, and its answer. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_refinery.analysis import prompt_texts, session_report
from pytest_refinery.analysis.ports import FailureSummary, Forecast, SharedCause, Stage
from pytest_refinery.analysts.model import answers
from pytest_refinery.analysts.model.queries import Query
from pytest_refinery.digest import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.analysts.model.questions import ModelOptions

    Group: TypeAlias = tuple[ItemRecord, ...]

_OUTPUT, _OUTPUT_A_GROUP, _MOST_OUTPUT = 400, 80, 2_000
_SHORTEST_ANSWER = 100
_CHARACTERS = 400
_SHOWN = 3
# About what a group costs: those of the examples cost 145 to 215 by our own count.
_A_GROUP = 190


def groups(failures: Sequence[ItemRecord], *, most_tokens: int) -> list[Group]:
    """Return the failures in groups of one cause by its words, the largest first, as many as fit, one at least."""
    by_id = {item.nodeid: item for item in failures}
    found: list[Group] = []
    for cause in session_report.root_causes(failures):
        group = tuple(by_id[nodeid] for nodeid in cause.nodeids)
        most_tokens -= tokens.estimate(_row(len(found) + 1, group))
        if found and most_tokens < 0:
            break
        found.append(group)
    return found


def query(options: ModelOptions, found: Sequence[Group]) -> Query:
    """Return the question about the groups."""
    failures = sum(map(len, found))
    rows = "\n".join(_row(number, group) for number, group in enumerate(found, start=1))
    return _query(options, failures=failures, groups=len(found), data=rows)


def _query(options: ModelOptions, *, failures: int, groups: int, data: str) -> Query:
    asked = options.max_output_tokens_other
    text = prompt_texts.filled("session_summary", failures=failures)
    return Query(
        stage=Stage.SUMMARY,
        model=options.model,
        instructions=prompt_texts.text("analyst"),
        text=f"{prompt_texts.fenced('diagnoses', data)}\n{text}",
        answer=answers.SummaryAnswer,
        max_output_tokens=asked or min(_MOST_OUTPUT, _OUTPUT + _OUTPUT_A_GROUP * groups),
        temperature=options.temperature,
        has_fixed_room=asked is not None,
    )


def _row(number: int, group: Group) -> str:
    found = group[0].diagnosis
    known = {
        "group": number,
        "failures": len(group),
        "failure_type": found.kind if found else "",
        "cause": _short(found.cause if found else ""),
        "for_example": _short((found.root_cause or "") if found else ""),
        "experienced": _short(found.executive_summary if found else ""),
        "expected": [_short(item.expectation.expect) for item in group[:_SHOWN]],
    }
    return json.dumps(known, ensure_ascii=False)


def _short(text: str) -> str:
    return " ".join(text.split())[:_CHARACTERS]


def read(answer: answers.SummaryAnswer, found: Sequence[Group]) -> FailureSummary:
    """Return the answer in terms of items; groups that were not shown are dropped."""
    known = dict(enumerate(found, start=1))
    causes = tuple(
        SharedCause(
            cause=each.cause,
            nodeids=tuple(item.nodeid for number in each.groups for item in known.get(number, ())),
            advice=each.advice,
        )
        for each in answer.causes
    )
    return FailureSummary(summary=answer.executive_summary, causes=causes)


def forecast(options: ModelOptions, failures: int, abilities: Abilities) -> Forecast:
    """Return what a summary of so many failures would cost, each of a cause of its own."""
    asking = _query(options, failures=failures, groups=failures, data="")
    return Forecast(
        calls=1,
        input_tokens=asking.input_tokens(abilities) + _A_GROUP * failures,
        least_output_tokens=_SHORTEST_ANSWER,
        most_output_tokens=asking.output_limit(abilities),
    )
