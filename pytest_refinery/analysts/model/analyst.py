"""The analyst that asks a model over the Responses API."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from pytest_refinery.analysis import prompt_texts
from pytest_refinery.analysis.ports import Forecast, Judgement
from pytest_refinery.analysis.schemas import GroupAnalysis
from pytest_refinery.analysts.model import answers, replies, session_summary
from pytest_refinery.analysts.model.answers import Mapper, UnusableAnswerError
from pytest_refinery.analysts.model.questions import Questions, longest_timeline
from pytest_refinery.analysts.model.service_errors import StoreNotFound
from pytest_refinery.digest import grouping, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_refinery.analysis.ports import Case, Job, Told
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import Conclusion, Finding, GapAnalysis
    from pytest_refinery.analysts.model.queries import Query, Search
    from pytest_refinery.analysts.model.questions import ModelOptions
    from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
    from pytest_refinery.analysts.model.replies import Reply
    from pytest_refinery.analysts.model.vector_stores import UploadedTrace, VectorStores
    from pytest_refinery.digest.grouping import Group

A = TypeVar("A", bound=BaseModel)
R = TypeVar("R")

# A group that leaves the model room to attend to all of it, where the limit is no tighter.
_LARGEST_GROUP = 20_000
_SMALLEST_GROUP = 1_000
# What a stage-1 call carries beside its group: prompts, schema, search, answer.
_BESIDE_A_GROUP = 4_500
_SHORTEST_ANSWER = 100
_LONGEST_REFUSAL = 200


class OpenAIAnalyst:
    """Prepares for cases, one at a time, judges them, and says what those that failed have in common.

    Args:
        client: Asks the service.
        options: How the model is asked.
        stores: Where groups are put for the file search; ``None`` where they stand in the prompts.
    """

    name = "openai"

    def __init__(self, client: RateLimitedClient, options: ModelOptions, stores: VectorStores | None) -> None:
        self._client = client
        self._options = options
        self._stores = stores

    @property
    def model(self) -> str:
        """The model that it asks."""
        return self._options.model

    @property
    def group_tokens(self) -> int:
        """The most tokens of a group: what the limit of the account lets through in one call."""
        # A tenth of it: our count of a text may be too low.
        room = int(0.9 * (self._client.largest_request - _BESIDE_A_GROUP))
        return max(_SMALLEST_GROUP, min(_LARGEST_GROUP, room))

    @property
    def fingerprint(self) -> str:
        """A text that differs wherever the answers to the same case might."""
        return f"{prompt_texts.version()} {self._options} {self._stores is not None}"

    def prepare(self, case: Case, groups: Sequence[Group], job: Job) -> CaseAnalyst:
        """Return who answers the stages of ``case``."""
        # What fits one call needs no search: it stands in the prompt, whole.
        stores = self._stores if self._stores and self._stores.is_for(groups) else None
        uploaded = _Once(lambda: stores.upload(case, groups, job)) if stores else None
        return CaseAnalyst(self._client, Questions(self._options, case), Mapper(case.trace), job, uploaded)

    def forecast(self, case: Case, groups: Sequence[Group]) -> Forecast:
        """Return what the diagnosis of ``case`` would cost, groups standing in their prompts."""
        questions = Questions(self._options, case)
        queries = [questions.about_group(group) for group in groups]
        queries += [questions.about_gaps((), ()), questions.about_cause((), (), ())]
        return _forecast(queries)

    def judge(self, case: Case, job: Job) -> Judgement:
        """Return the verdict on ``case``; a trace too long for one call is read in parts before.

        Raises:
            AnalysisError: There was no usable answer.
        """
        asking = _Asking(self._client, job)
        questions = Questions(self._options, case)
        groups = grouping.group(render.digest(case.trace), group_tokens=self.group_tokens)
        if len(groups) == 1:
            shown = {groups[0].filename: groups[0].text}
        else:
            shown = {"remarks on the parts of the trace": "\n".join(_remarks(asking, questions, groups))}
        answer = asking.twice(questions.to_judge(shown), answers.JudgeAnswer)
        is_met = {"met": True, "not_met": False}.get(answer.verdict)
        return Judgement(is_met, answer.reasons, Mapper(case.trace).evidence(answer.quotes))

    def forecast_judge(self, case: Case) -> Forecast:
        """Return what one verdict on ``case`` would cost."""
        questions = Questions(self._options, case)
        groups = grouping.group(render.digest(case.trace), group_tokens=self.group_tokens)
        if len(groups) == 1:
            return _forecast([questions.to_judge({groups[0].filename: groups[0].text})])
        return _forecast([*map(questions.to_note_down, groups), questions.to_judge({})])

    def summarise(self, failures: Sequence[ItemRecord], job: Job) -> Told:
        """Return what the diagnosed ``failures`` of a session have in common.

        Raises:
            AnalysisError: There was no usable answer.
        """
        groups = session_summary.groups(failures, most_tokens=self.group_tokens)
        answer = _Asking(self._client, job).twice(session_summary.query(self._options, groups), answers.SummaryAnswer)
        return session_summary.told(answer, groups)

    def forecast_summary(self, failures: int) -> Forecast:
        """Return what a summary of so many failures would cost."""
        return session_summary.forecast(self._options, failures)


def _remarks(asking: _Asking, questions: Questions, groups: Iterable[Group]) -> Iterator[str]:
    for group in groups:
        answer = asking.twice(questions.to_note_down(group), answers.RemarksAnswer)
        yield from (json.dumps(remark.model_dump(), ensure_ascii=False) for remark in answer.findings)


def _forecast(queries: Sequence[Query]) -> Forecast:
    return Forecast(
        calls=len(queries),
        input_tokens=sum(query.input_tokens for query in queries),
        least_output_tokens=_SHORTEST_ANSWER * len(queries),
        most_output_tokens=sum(query.max_output_tokens for query in queries),
    )


class _Asking:
    """Asks for answers of a kind, and copes with those that are none."""

    def __init__(self, client: RateLimitedClient, job: Job) -> None:
        self._client = client
        self._job = job

    def once(self, query: Query, kind: type[A]) -> tuple[A, Reply]:
        """Return the answer, having asked again with more room where it was cut off.

        Raises:
            AnalysisError: There is no usable answer.
        """
        reply = self._client.ask(query, self._job)
        if reply.cut_off_by == "max_output_tokens" and not query.has_fixed_room:
            query = query.with_more_room()
            reply = self._client.ask(query, self._job)
        if reply.refusal:
            msg = f"the model refused to answer: {reply.refusal[:_LONGEST_REFUSAL]}"
            raise UnusableAnswerError(msg)
        if reply.cut_off_by:
            raise UnusableAnswerError(_cut_off(query, reply))
        return answers.parse(kind, reply.text), reply

    def twice(self, query: Query, kind: type[A]) -> A:
        """Return the answer, having asked once more where the first was unusable."""
        try:
            return self.once(query, kind)[0]
        except UnusableAnswerError:
            return self.once(query, kind)[0]


def _cut_off(query: Query, reply: Reply) -> str:
    setting = "STAGE1" if query.answer is answers.GroupAnswer else "OTHER"
    return (
        f"the answer was cut off after {reply.output_tokens:,} output tokens ({reply.cut_off_by}); "
        f"raise REFINERY_MAX_OUTPUT_TOKENS_{setting}"
    )


class CaseAnalyst:
    """Answers the stages of one case."""

    name = OpenAIAnalyst.name

    def __init__(
        self,
        client: RateLimitedClient,
        questions: Questions,
        mapper: Mapper,
        job: Job,
        uploaded: _Once[UploadedTrace | None] | None,
    ) -> None:
        self._asking = _Asking(client, job)
        self._questions = questions
        self._mapper = mapper
        self._job = job
        self._uploaded = uploaded
        self._timelines: dict[str, tuple[str, ...]] = {}

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:  # noqa: ARG002  (the port's)
        """Return what the model found in ``group``; runs that a search left out are read in a second call."""
        uploaded = self._opened()
        found = self._searched(group, uploaded) if uploaded and group.name in uploaded else None
        found = found or self._given(self._questions.about_group(group), group.run_ids)
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
        lines += [f"lacked: {lacked}" for lacked in gaps.missing_context]
        lines += [f"assumed: {assumed}" for assumed in gaps.wrong_assumptions]
        answer = self._lightly(
            lambda search: self._questions.about_cause(findings, lines, self._timeline(), search),
            answers.ConclusionAnswer,
        )
        return self._mapper.conclusion(answer)

    def _opened(self) -> UploadedTrace | None:
        return self._uploaded.value() if self._uploaded else None

    def _lightly(self, question: Callable[[Search | None], Query], kind: type[A]) -> A:
        """Return the answer of a later stage, without a search where the store has gone."""
        uploaded = self._opened()
        if uploaded is None:
            return self._asking.twice(question(None), kind)
        try:
            return self._asking.twice(question(uploaded.search_anywhere()), kind)
        except StoreNotFound:
            self._lose_store()
            return self._asking.twice(question(None), kind)

    def _searched(self, group: Group, uploaded: UploadedTrace) -> GroupAnalysis | None:
        """Return what was found by searching the group's file; ``None`` where the store has gone."""
        try:
            query = self._questions.about_group(group, uploaded.search_in(group))
            answer, reply = self._asking.once(query, answers.GroupAnswer)
        except StoreNotFound:
            self._lose_store()
            return None
        passages = [passage.text for passage in reply.passages if passage.is_of(group.name)]
        unread = replies.unread_runs(group, passages)
        read = tuple(run_id for run_id in group.run_ids if run_id not in unread)
        first = self._analysis(answer, read)
        return self._completed(first, group, unread) if unread else first

    def _completed(self, first: GroupAnalysis, group: Group, unread: Sequence[str]) -> GroupAnalysis:
        rest = self._given(self._questions.about_rest(group, unread), tuple(unread))
        return GroupAnalysis(
            timeline=(*first.timeline, *rest.timeline),
            findings=(*first.findings, *rest.findings),
            runs_read=group.run_ids,
        )

    def _given(self, query: Query, run_ids: Sequence[str]) -> GroupAnalysis:
        """Return what the model found in runs that stand in the question."""
        answer, _ = self._asking.once(query, answers.GroupAnswer)
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
