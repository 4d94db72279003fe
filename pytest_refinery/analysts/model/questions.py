"""The questions of the stages, as queries. Pure: the same case always makes the same questions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis import prompt_texts, prompt_versions
from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysts.model import answers
from pytest_refinery.analysts.model.queries import Query
from pytest_refinery.digest import tokens
from pytest_refinery.digest.lines import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.schemas import Finding
    from pytest_refinery.analysts.model.queries import Search
    from pytest_refinery.digest.grouping import Group, RunText

_OTHER_STAGES = 1_200
_LEAST_OUTPUT = 16
_LONGEST_TIMELINE = 12
# Of the timelines of all groups, in the light stages.
_LONGEST_STORY = 48
_MOST_FINDINGS = 8
_MOST_CANDIDATES = 24
_QUOTE_CHARACTERS = 300
_PROMPT_TOKENS = 1_500
# Of the trace, in the diagnosis stage: it has been read in stage 1 already.
_TRACE_TOKENS = 750
# So much of the beginning of a text tells it from others.
_TELLING = 60
_SEVERITIES = ((0.75, "critical"), (0.45, "major"), (0.0, "minor"))


@dataclass(frozen=True)
class ModelOptions:
    """How the model is asked.

    Attributes:
        effort: How hard the model shall think, ``None`` for what suits the stage.
        max_num_results: Results of a stage-1 search, ``None`` for as many as the group needs.
        max_output_tokens_stage1: ``None`` for a size that suits the group.
        max_output_tokens_other: ``None`` for 1,200.
    """

    model: str
    temperature: float = 0.2
    effort: str | None = None
    max_num_results: int | None = None
    max_output_tokens_stage1: int | None = None
    max_output_tokens_other: int | None = None


class Questions:
    """The questions about one case."""

    def __init__(self, options: ModelOptions, case: Case) -> None:
        self._options = options
        self._case = case
        self._expectation = prompt_texts.expectation(case)

    def about_group(self, group: Group, search: Search | None = None) -> Query:
        """Return the question of stage 1; without a ``search`` the group stands in it."""
        scope = f"only files whose names begin with {group.name}_, all of their content."
        text = self._of_group("trace_analysis", group, scope=scope if search else "the whole of it stands above.")
        shown = [] if search else [prompt_texts.fenced(group.filename, group.text)]
        parts = [*shown, *self._instructions_missing_in(group), text]
        return self._stage1("\n".join(parts), runs=len(group.run_ids), search=search)

    def about_rest(self, group: Group, pieces: Sequence[RunText]) -> Query:
        """Return the question about some runs of a group: those that a search did not find, or a part of them."""
        text = self._of_group("follow_up", group)
        rest = prompt_texts.fenced(group.filename, "\n".join(piece.text for piece in pieces))
        return self._stage1(f"{rest}\n{text}", runs=len({piece.run_id for piece in pieces}))

    def about_gaps(self, findings: Sequence[Finding], timelines: Iterable[str], search: Search | None = None) -> Query:
        """Return the question of stage 2; without a ``search`` the eval files stand in it."""
        text = prompt_texts.filled("gap_analysis", expectation=self._expectation)
        judged = [] if search else self._eval_files()
        parts = [self._found(findings), _fenced_lines("timeline", _spread(timelines)), *judged, text]
        return self._other(Stage.GAP_ANALYSIS, parts, answers.GapAnswer, search)

    def about_cause(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[str],
        timelines: Iterable[str],
        search: Search | None = None,
        pieces: Sequence[RunText] = (),
    ) -> Query:
        """Return the question of stage 3; without a ``search`` the prompts stand in it, and what fits of the trace."""
        text = prompt_texts.filled("diagnosis", expectation=self._expectation)
        given = [] if search else [_excerpt(pieces, self._heaviest(findings)), *self._prompts()]
        parts = [
            *given,
            self._found(findings),
            _fenced_lines("gaps", gaps),
            _fenced_lines("timeline", _spread(timelines)),
            text,
        ]
        return self._other(Stage.DIAGNOSIS, parts, answers.ConclusionAnswer, search)

    def to_judge(self, titles: Mapping[str, str]) -> Query:
        """Return the question whether the expectation is met, with what it is to be judged by."""
        text = prompt_texts.filled("judge", expectation=self._expectation)
        parts = [*(prompt_texts.fenced(title, data) for title, data in titles.items()), *self._eval_files(), text]
        return self._other(Stage.JUDGE, parts, answers.JudgeAnswer, None)

    def to_note_down(self, group: Group) -> Query:
        """Return the question what in one group of a long trace bears on the expectation."""
        text = prompt_texts.filled("judge_remarks", expectation=self._expectation, group=group.name)
        parts = [prompt_texts.fenced(group.filename, group.text), text]
        return self._other(Stage.JUDGE, parts, answers.RemarksAnswer, None)

    def _of_group(self, name: str, group: Group, **values: str) -> str:
        runs = len(group.run_ids)
        return prompt_texts.filled(
            name,
            group=group.name,
            expectation=self._expectation,
            timeline=longest_timeline(runs),
            findings=_findings(runs),
            **values,
        )

    def _stage1(self, text: str, *, runs: int, search: Search | None = None) -> Query:
        asked = self._options.max_output_tokens_stage1
        room = asked or 250 + 25 * longest_timeline(runs) + 150 * _findings(runs)
        return self._query(Stage.TRACE_ANALYSIS, text, answers.GroupAnswer, room, asked, search)

    def _other(self, stage: Stage, parts: Iterable[str], answer: type[BaseModel], search: Search | None) -> Query:
        asked = self._options.max_output_tokens_other
        return self._query(stage, "\n".join(filter(None, parts)), answer, asked or _OTHER_STAGES, asked, search)

    def _query(
        self,
        stage: Stage,
        text: str,
        answer: type[BaseModel],
        room: int,
        asked: int | None,
        search: Search | None,
    ) -> Query:
        return Query(
            stage=stage,
            model=self._options.model,
            instructions=prompt_texts.text("judge_instructions" if stage is Stage.JUDGE else "analyst"),
            text=text,
            answer=answer,
            max_output_tokens=max(_LEAST_OUTPUT, room),
            temperature=self._options.temperature,
            has_fixed_room=asked is not None,
            search=search,
        )

    def _found(self, findings: Sequence[Finding]) -> str:
        numbers = self._case.trace.numbers
        heaviest = self._heaviest(findings)
        shown = [finding for finding in findings if finding in heaviest]
        rows = [json.dumps(_row(finding, numbers), ensure_ascii=False) for finding in shown]
        return _fenced_lines("candidate errors", rows) or "No candidate errors were found.\n"

    @staticmethod
    def _heaviest(findings: Sequence[Finding]) -> list[Finding]:
        return sorted(findings, key=lambda finding: -finding.weight)[:_MOST_CANDIDATES]

    def _instructions_missing_in(self, group: Group) -> list[str]:
        """Return what the agent was told, for a group in which it does not stand: nobody could judge by it else."""
        shown = fold(group.text)
        told = [each.text for each in self._case.prompts if each.kind == "system"]
        return _shown(("what the agent was told", text) for text in told if fold(text)[:_TELLING] not in shown)

    def _prompts(self) -> list[str]:
        """Return what the agent was told: as the repository has it, and as the trace has it beyond that."""
        files = [(each.path, each.text) for each in self._case.prompt_files]
        unwritten = [("what the agent was told", each.text) for each in prompt_versions.unwritten(self._case)]
        return _shown([*files, *unwritten])

    def _eval_files(self) -> list[str]:
        return _shown((f"how the agent is judged elsewhere: {each.path}", each.text) for each in self._case.eval_files)


def _shown(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Return texts behind fences, each with its title, as far as there is room for them."""
    left, found = _PROMPT_TOKENS, []
    for title, text in texts:
        shown = next(tokens.cut(text, most=left), "") if left > 0 else ""
        left -= tokens.estimate(shown)
        found += [prompt_texts.fenced(title, shown)] if shown else []
    return found


def _excerpt(pieces: Sequence[RunText], findings: Iterable[Finding]) -> str:
    """Return the trace behind a fence: whole where it fits, else its end and the runs of the heaviest findings."""
    if sum(tokens.estimate(piece.text) for piece in pieces) <= _TRACE_TOKENS:
        return _fenced_lines("the trace", (piece.text for piece in pieces))
    wanted = dict.fromkeys([pieces[-1].run_id, *(finding.run_id for finding in findings)])
    left, shown = _TRACE_TOKENS, {}
    for place in sorted(range(len(pieces)), key=lambda place: _rank(pieces[place].run_id, wanted)):
        if left <= 0 or pieces[place].run_id not in wanted:
            break
        shown[place] = next(tokens.cut(pieces[place].text, most=left), "")
        left -= tokens.estimate(shown[place])
    return _fenced_lines("runs of the trace", (shown[place] for place in sorted(shown)))


def _rank(run_id: str, wanted: Iterable[str]) -> int:
    return next((rank for rank, each in enumerate(wanted) if each == run_id), len(list(wanted)))


def longest_timeline(runs: int) -> int:
    """Return the lines that a timeline of so many runs may have."""
    return min(_LONGEST_TIMELINE, runs)


def _spread(lines: Iterable[str]) -> list[str]:
    """Return as many of the lines as the light stages have room for, from all over them."""
    found = list(lines)
    step = max(1, -(-len(found) // _LONGEST_STORY))
    return found[::step]


def _findings(runs: int) -> int:
    return min(_MOST_FINDINGS, 2 + runs // 2)


def _fenced_lines(title: str, lines: Iterable[str]) -> str:
    data = "\n".join(lines)
    return prompt_texts.fenced(title, data) if data else ""


def _row(finding: Finding, numbers: Mapping[str, int]) -> dict[str, object]:
    return {
        "run": numbers[finding.run_id],
        "what": finding.what,
        "failure_type": finding.failure_type.value,
        "severity": next(name for least, name in _SEVERITIES if finding.weight >= least),
        "quotes": [
            {"run": numbers.get(each.run_id), "quote": each.quote[:_QUOTE_CHARACTERS]} for each in finding.evidence
        ],
    }
