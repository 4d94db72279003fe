"""The analyst that asks a language model."""

from __future__ import annotations

import json
import threading
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from pytest_refinery.analysis import prompt_texts
from pytest_refinery.analysis.ports import Forecast, Judgement
from pytest_refinery.analysis.schemas import GroupAnalysis
from pytest_refinery.analysts.model import answers, packing, replayed_calls, replies, session_summary
from pytest_refinery.analysts.model.answers import Mapper, UnusableAnswerError
from pytest_refinery.analysts.model.questions import Questions, longest_timeline
from pytest_refinery.analysts.model.service_errors import ContextOverflow, StoreNotFound
from pytest_refinery.digest import grouping, render, tokens
from pytest_refinery.digest.grouping import RunText
from pytest_refinery.traces.model import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_refinery.analysis.ports import Case, FailureSummary, Job
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import Conclusion, Finding, GapAnalysis
    from pytest_refinery.analysts.model.queries import Query, Search
    from pytest_refinery.analysts.model.questions import ModelOptions
    from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
    from pytest_refinery.analysts.model.replies import Reply
    from pytest_refinery.analysts.model.vector_stores import UploadedTrace, VectorStores
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.traces.model_calls import ModelCall

A = TypeVar("A", bound=BaseModel)
R = TypeVar("R")

# What a stage-1 call usually carries beside its group: question, schema, prompts of the agent, answer.
_BESIDE_A_GROUP = 2_500
# With a search in a vector store, which a trace in one group does not need: measured with benchmarks.openai.
_BESIDE_A_SEARCHED_GROUP = 6_000
_SHORTEST_ANSWER = 100
_LONGEST_REFUSAL = 200
# A case may have so many unusable answers asked again, and one more for so many groups.
_REPEATS, _GROUPS_A_REPEAT = 2, 4
# A run that must be smaller than this to be read cannot be cut any more.
_LEAST_TO_CUT = 200
_RECUTS = 3


class OpenAIAnalyst:
    """Prepares for cases, one at a time, judges them, and says what those that failed have in common.

    Args:
        client: Asks the service.
        options: How the model is asked.
        stores: Where groups are put for the file search; ``None`` where they stand in the prompts.
        refills: Whether the limit of the account is a bucket that is refilled all the time.
    """

    name = "openai"

    def __init__(
        self, client: RateLimitedClient, options: ModelOptions, stores: VectorStores | None, *, refills: bool = False
    ) -> None:
        self._client = client
        self._options = options
        self._stores = stores
        self._refills = refills

    @property
    def model(self) -> str:
        """The model that it asks."""
        return self._options.model

    def group_tokens(self, digest_tokens: int) -> int:
        """Return the most tokens of a group of a trace of so many: what passes the limit of the account soonest."""
        limit = self._client.largest_request
        return packing.group_tokens(
            limit=limit,
            overhead=_BESIDE_A_GROUP,
            digest_tokens=digest_tokens,
            refills=self._refills,
            overhead_if_cut=_BESIDE_A_SEARCHED_GROUP if self._stores else None,
        )

    @property
    def fingerprint(self) -> str:
        """A text that differs wherever the answers to the same case might."""
        return f"{prompt_texts.version()} {self._options} {self._stores is not None}"

    def prepare(self, case: Case, groups: Sequence[Group], job: Job) -> CaseAnalyst:
        """Return who answers the stages of ``case``."""
        # What fits one call needs no search: it stands in the prompt, whole.
        stores = self._stores_for(groups)
        uploaded = _Once(lambda: stores.upload(case, groups, job)) if stores else None
        questions = Questions(self._options, case)
        asking = _Asking(self._client, job, repeats=_REPEATS + len(groups) // _GROUPS_A_REPEAT)
        asking.expect(_queries(questions, groups, stores))
        return CaseAnalyst(asking, questions, Mapper(case.trace), job, groups, uploaded)

    def _stores_for(self, groups: Sequence[Group]) -> VectorStores | None:
        return self._stores if self._stores and self._stores.is_for(groups) else None

    def forecast(self, case: Case, groups: Sequence[Group]) -> Forecast:
        """Return what the diagnosis of ``case`` would cost."""
        return self._forecast(_queries(Questions(self._options, case), groups, self._stores_for(groups)))

    def judge(self, case: Case, job: Job) -> Judgement:
        """Return the verdict on ``case``; a trace too long for one call is read in parts before.

        Raises:
            AnalysisError: There was no usable answer.
        """
        questions = Questions(self._options, case)
        asking = _Asking(self._client, job, repeats=_REPEATS)
        answer = self._judged(case, questions, asking, recuts=_RECUTS)
        return Judgement(answer.is_met, answer.reasons, Mapper(case.trace).evidence(answer.quotes))

    def _judged(self, case: Case, questions: Questions, asking: _Asking, *, recuts: int) -> answers.JudgeAnswer:
        groups = self._cut_for_judge(case)
        asking.expect(_judging(questions, groups))
        try:
            return asking.ask(questions.to_judge(_shown_to_judge(asking, questions, groups)), answers.JudgeAnswer)[0]
        except ContextOverflow:
            # How much the model can read is known now, and the groups are cut to it.
            if not recuts:
                raise
            return self._judged(case, questions, asking, recuts=recuts - 1)

    def _cut_for_judge(self, case: Case) -> tuple[Group, ...]:
        # One verdict needs the whole trace at once, as far as it fits.
        return grouping.group(
            render.digest(case.trace), group_tokens=packing.largest_group(self._client.largest_request)
        )

    def replay(self, call: ModelCall, job: Job) -> Message:
        """Return what the model of a recorded call answers now.

        Raises:
            AnalysisError: There was no answer.
        """
        reply = self._client.ask(replayed_calls.query(call), job)
        return Message("assistant", reply.text or reply.refusal, tool_calls=reply.calls)

    def forecast_judge(self, case: Case) -> Forecast:
        """Return what one verdict on ``case`` would cost."""
        return self._forecast(_judging(Questions(self._options, case), self._cut_for_judge(case)))

    def summarize(self, failures: Sequence[ItemRecord], job: Job) -> FailureSummary:
        """Return what the diagnosed ``failures`` of a session have in common.

        Raises:
            AnalysisError: There was no usable answer.
        """
        groups = session_summary.groups(failures, most_tokens=packing.largest_group(self._client.largest_request))
        query = session_summary.query(self._options, groups)
        asking = _Asking(self._client, job, repeats=1)
        asking.expect([query])
        answer, _ = asking.ask(query, answers.SummaryAnswer)
        return session_summary.read(answer, groups)

    def forecast_summary(self, failures: int) -> Forecast:
        """Return what a summary of so many failures would cost."""
        return session_summary.forecast(self._options, failures, self._client.abilities_of(self.model))

    def _forecast(self, queries: Sequence[Query]) -> Forecast:
        abilities = self._client.abilities_of(self.model)
        return Forecast(
            calls=len(queries),
            input_tokens=sum(query.input_tokens(abilities) for query in queries),
            least_output_tokens=_SHORTEST_ANSWER * len(queries),
            most_output_tokens=sum(query.output_limit(abilities) for query in queries),
        )


def _queries(questions: Questions, groups: Sequence[Group], stores: VectorStores | None) -> list[Query]:
    """Return the questions of a diagnosis, as far as they are known before it; those that search ``stores`` do."""
    planned = stores.planned(groups) if stores else None
    later = planned.search_anywhere() if planned else None
    pieces = [piece for group in groups for piece in group.pieces]
    return [
        *(questions.about_group(group, planned.search_in(group) if planned else None) for group in groups),
        questions.about_gaps((), (), later),
        questions.about_cause((), (), (), later, pieces),
    ]


def _judging(questions: Questions, groups: Sequence[Group]) -> list[Query]:
    """Return the questions of a verdict, as far as they are known before it."""
    if len(groups) == 1:
        return [questions.to_judge({groups[0].filename: groups[0].text})]
    return [*map(questions.to_note_down, groups), questions.to_judge({})]


def _shown_to_judge(asking: _Asking, questions: Questions, groups: Sequence[Group]) -> dict[str, str]:
    if len(groups) == 1:
        return {groups[0].filename: groups[0].text}
    remarks = "\n".join(_remarks(asking, questions, groups))
    return {"remarks on the parts of the trace": remarks, "the end of the trace": groups[-1].pieces[-1].text}


def _remarks(asking: _Asking, questions: Questions, groups: Iterable[Group]) -> Iterator[str]:
    for group in groups:
        answer, _ = asking.ask(questions.to_note_down(group), answers.RemarksAnswer)
        yield from (json.dumps(remark.model_dump(), ensure_ascii=False) for remark in answer.findings)


class _Asking:
    """Asks for answers of a kind, and again where one is unusable, so many times for all questions of a case."""

    def __init__(self, client: RateLimitedClient, job: Job, *, repeats: int) -> None:
        self._client = client
        self._job = job
        self._repeats_left = repeats
        self._lock = threading.Lock()
        job.at_end(lambda: client.finish(job))

    def expect(self, queries: Iterable[Query]) -> None:
        """Say what is going to be asked."""
        self._job.expects(sum(map(self._client.expected, queries)))

    def ask(self, query: Query, kind: type[A]) -> tuple[A, Reply]:
        """Return the answer; one that was cut off is asked for again with more room.

        Raises:
            AnalysisError: There is no usable answer.
        """
        while True:
            reply = self._client.ask(query, self._job)
            try:
                return _parsed(query, kind, reply), reply
            except _CutOffError:
                if query.has_fixed_room or not self._may_repeat():
                    raise
                query = query.with_more_room()
            except UnusableAnswerError:
                if not self._may_repeat():
                    raise
                self._client.show_schema(query.model)

    def _may_repeat(self) -> bool:
        with self._lock:
            self._repeats_left -= 1
            return self._repeats_left >= 0


class _CutOffError(UnusableAnswerError):
    """The answer ended before its end."""


def _parsed(query: Query, kind: type[A], reply: Reply) -> A:
    if reply.refusal:
        msg = f"the model refused to answer: {reply.refusal[:_LONGEST_REFUSAL]}"
        raise UnusableAnswerError(msg)
    if reply.cut_off_by == "max_output_tokens":
        raise _CutOffError(_cut_off(query, reply))
    if reply.cut_off_by:
        raise UnusableAnswerError(_cut_off(query, reply))
    try:
        return answers.parse(kind, reply.text)
    except UnusableAnswerError as error:
        if reply.fills_its_room:
            raise _CutOffError(_cut_off(query, reply)) from error
        raise


def _cut_off(query: Query, reply: Reply) -> str:
    setting = "STAGE1" if query.answer is answers.GroupAnswer else "OTHER"
    tokens_written = reply.usage.output_tokens if reply.usage else 0
    why = reply.cut_off_by or "max_output_tokens"
    return (
        f"the answer was cut off after {tokens_written:,} output tokens ({why}); "
        f"raise REFINERY_MAX_OUTPUT_TOKENS_{setting}"
    )


class CaseAnalyst:
    """Answers the stages of one case."""

    name = OpenAIAnalyst.name

    def __init__(
        self,
        asking: _Asking,
        questions: Questions,
        mapper: Mapper,
        job: Job,
        groups: Sequence[Group],
        uploaded: _Once[UploadedTrace | None] | None,
    ) -> None:
        self._asking = asking
        self._pieces = [piece for group in groups for piece in group.pieces]
        self._questions = questions
        self._mapper = mapper
        self._job = job
        self._uploaded = uploaded
        self._timelines: dict[str, tuple[str, ...]] = {}

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:  # noqa: ARG002  (the port's)
        """Return what the model found in ``group``; runs that a search left out are read in a second call."""
        uploaded = self._opened()
        found = self._searched(group, uploaded) if uploaded and group.name in uploaded else None
        found = found or self._given(self._questions.about_group(group), group, group.pieces)
        self._timelines[group.name] = found.timeline
        return found

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:  # noqa: ARG002  (the port's)
        """Return what was expected beside what was there."""
        answer = self._lightly(
            lambda search: self._questions.about_gaps(findings, self._timeline(), search), answers.GapAnswer
        )
        return self._mapper.gaps(answer)

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:  # noqa: ARG002
        """Return the decisive run and the cause."""
        lines = [f"expected: {gap.expected} | was: {gap.actual}" for gap in gaps.gaps]
        lines += [f"missing context: {missing}" for missing in gaps.missing_context]
        lines += [f"wrong assumption: {assumed}" for assumed in gaps.wrong_assumptions]
        answer = self._lightly(
            lambda search: self._questions.about_cause(findings, lines, self._timeline(), search, self._pieces),
            answers.ConclusionAnswer,
        )
        return self._mapper.conclusion(answer)

    def _opened(self) -> UploadedTrace | None:
        return self._uploaded.value() if self._uploaded else None

    def _lightly(self, question: Callable[[Search | None], Query], kind: type[A]) -> A:
        """Return the answer of a later stage, without a search where the store has gone."""
        uploaded = self._opened()
        if uploaded is None:
            return self._asking.ask(question(None), kind)[0]
        try:
            return self._asking.ask(question(uploaded.search_anywhere()), kind)[0]
        except StoreNotFound:
            self._lose_store()
            return self._asking.ask(question(None), kind)[0]

    def _searched(self, group: Group, uploaded: UploadedTrace) -> GroupAnalysis | None:
        """Return what was found by searching the group's file; ``None`` where the store has gone."""
        try:
            query = self._questions.about_group(group, uploaded.search_in(group))
            answer, reply = self._asking.ask(query, answers.GroupAnswer)
        except StoreNotFound:
            self._lose_store()
            return None
        passages = [passage.text for passage in reply.passages if passage.is_of(group.name)]
        unread = replies.unread_runs(group, passages)
        read = tuple(run_id for run_id in group.run_ids if run_id not in unread)
        first = self._analysis(answer, read)
        return self._completed(first, group, unread) if unread else first

    def _completed(self, first: GroupAnalysis, group: Group, unread: Sequence[str]) -> GroupAnalysis:
        pieces = [piece for piece in group.pieces if piece.run_id in set(unread)]
        rest = self._given(self._questions.about_rest(group, pieces), group, pieces)
        return _joined([first, rest], group.run_ids)

    def _given(self, query: Query, group: Group, pieces: Sequence[RunText]) -> GroupAnalysis:
        """Return what the model found in runs that stand in the question, or in ever smaller parts of them."""
        run_ids = tuple(dict.fromkeys(piece.run_id for piece in pieces))
        try:
            answer, _ = self._asking.ask(query, answers.GroupAnswer)
        except ContextOverflow:
            halves = _halves(pieces)
            if not halves:
                raise
            self._job.note("The model cannot read a group at once: it was read in parts (--refinery-group-tokens).")
            parts = [self._given(self._questions.about_rest(group, half), group, half) for half in halves]
            return _joined(parts, run_ids)
        return self._analysis(answer, run_ids)

    def _analysis(self, answer: answers.GroupAnswer, run_ids: Sequence[str]) -> GroupAnalysis:
        unknown = self._mapper.unknown_runs(answer)
        if unknown:
            named = ", ".join(f"#{number}" for number in unknown)
            self._job.note(f"The model named runs that the trace does not have ({named}); those findings were dropped.")
        timeline = answer.timeline[: longest_timeline(len(run_ids))]
        return GroupAnalysis(timeline=timeline, findings=self._mapper.findings(answer), runs_read=tuple(run_ids))

    def _lose_store(self) -> None:
        self._uploaded = None
        self._job.note("The vector store has vanished: what was still to be read was put into the prompts.")

    def _timeline(self) -> list[str]:
        return [line for name in sorted(self._timelines, key=_in_order) for line in self._timelines[name]]


def _joined(parts: Sequence[GroupAnalysis], run_ids: Sequence[str]) -> GroupAnalysis:
    return GroupAnalysis(
        timeline=tuple(line for part in parts for line in part.timeline),
        findings=tuple(finding for part in parts for finding in part.findings),
        runs_read=tuple(run_ids),
    )


def _halves(pieces: Sequence[RunText]) -> tuple[Sequence[RunText], Sequence[RunText]] | None:
    """Return the runs in two parts of about the same length, ``None`` where they are too small to be cut."""
    if len(pieces) == 1:
        text, middle = pieces[0].text, len(pieces[0].text) // 2
        if tokens.estimate(text) < _LEAST_TO_CUT:
            return None
        run_id = pieces[0].run_id
        return [RunText(run_id, text[:middle])], [RunText(run_id, f"(part of the same run)\n{text[middle:]}")]
    lengths = list(accumulate(len(piece.text) for piece in pieces))
    cut = min(range(1, len(pieces)), key=lambda place: abs(lengths[place - 1] - lengths[-1] / 2))
    return pieces[:cut], pieces[cut:]


def _in_order(name: str) -> tuple[int, str]:
    """Sort g99 before g100."""
    return len(name), name


class _Once(Generic[R]):
    """Computes a value when it is first wanted, once for all threads."""

    def __init__(self, compute: Callable[[], R]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._found: list[R] = []

    def value(self) -> R:
        """Return the value."""
        with self._lock:
            if not self._found:
                self._found.append(self._compute())
            return self._found[0]
