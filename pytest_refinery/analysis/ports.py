"""What the engine needs from outside, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from pytest_refinery.analysis.divergence import Divergence
    from pytest_refinery.analysis.records import ItemRecord, JudgeRecord
    from pytest_refinery.analysis.schemas import (
        Conclusion,
        Diagnosis,
        Evidence,
        Finding,
        GapAnalysis,
        GroupAnalysis,
    )
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.expectations.verdicts import CheckFailure
    from pytest_refinery.traces.model import Message, Trace
    from pytest_refinery.traces.model_calls import ModelCall
    from pytest_refinery.traces.prompts import Prompt


@dataclass(frozen=True)
class PromptFile:
    """A prompt file of the user's repository: its path as shown to the user, and its text."""

    path: str
    text: str


@dataclass(frozen=True)
class Case:
    """One failed expectation: all that an analyst may know about it.

    Attributes:
        trace: What the agent did, as recorded.
        expect: What should have happened, in the expert's words.
        business_context: Why it matters, in the expert's words; ``""`` where it is not said.
        failures: What the checks, the judge or the test's own assertion objected to.
        prompts: The prompts of the agent, as read out of the trace.
        prompt_files: The prompts of the agent, as the repository has them.
        eval_files: How the agent is judged elsewhere, as the repository has it.
        divergence: Where the trace parts from the one in which the expectation held; ``None`` where that is unknown.
    """

    trace: Trace
    expect: str
    business_context: str = ""
    failures: tuple[CheckFailure, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    prompt_files: tuple[PromptFile, ...] = ()
    eval_files: tuple[PromptFile, ...] = ()
    divergence: Divergence | None = None


class Analyst(Protocol):
    """Answers the stages of a diagnosis.

    Raises:
        AnalysisError: Any method may raise it, with a sentence for the user; the engine goes on with what it has.
    """

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:
        """Stage 1: say what went wrong in the runs of one group; called from several threads.

        Args:
            case: The failed expectation.
            group: Consecutive runs of its trace, as text.

        Returns:
            What was found, and the ids of the runs whose content was really read.
        """
        ...

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:
        """Stage 2: say what was expected and what was there, and what context was missing.

        Args:
            case: The failed expectation.
            findings: Those of all groups, in the order of their runs.
        """
        ...

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:
        """Stage 3: name the decisive run, the cause and the change that would have helped.

        Args:
            case: The failed expectation.
            findings: Those of all groups, in the order of their runs.
            gaps: The answer of stage 2.
        """
        ...


class Stage(StrEnum):
    """The stages, as reports call them."""

    TRACE_ANALYSIS = "trace analysis"
    GAP_ANALYSIS = "gap analysis"
    DIAGNOSIS = "diagnosis"
    JUDGE = "judge"
    SUMMARY = "session summary"
    REPLAY = "replay"


@dataclass(frozen=True)
class ModelAnswer:
    """What a model answered to one question.

    Attributes:
        text: What it wrote: one JSON object that fits the schema, as far as the model obeys.
        input_tokens: Those of the question as the service counts them; ``None`` where it does not say.
        output_tokens: Those of the answer, what the model thought with included; ``None`` where it does not say.
        is_cut_off: Whether it ended because it had reached ``max_output_tokens``.
    """

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    is_cut_off: bool = False


class ModelClient(Protocol):
    """Asks a language model; a plugin offers one with the hook ``pytest_refinery_model_client``."""

    def ask(
        self,
        *,
        instructions: str,
        input: str,  # noqa: A002  (the SDK's word)
        schema: Mapping[str, object],
        max_output_tokens: int,
        timeout: float,
    ) -> ModelAnswer:
        """Ask one question, once; called from several threads.

        Args:
            instructions: The system prompt.
            input: The question, with the data it is about.
            schema: The JSON Schema of the answer, in the strict form: every key required, no others.
            max_output_tokens: The tokens that the answer may have at most.
            timeout: The seconds that it may take at most.

        Raises:
            Exception: There was no answer. One with a ``status_code`` is read as an HTTP error (429 waits, 500 is
                asked again), an ``OSError`` is asked again, any other is final for this question.
        """
        ...


class Job(Protocol):
    """The piece of work that requests are made for: its time, its costs, what the user should know of it."""

    @property
    def cancelled(self) -> Event:
        """Set when the answer is no longer wanted."""
        ...

    @property
    def id(self) -> str:
        """A name for it among all that share a budget."""
        ...

    def seconds_left(self) -> float:
        """Return the seconds that are left to work, below 0 when there are none; they do not run while it waits."""
        ...

    def wait_left(self, foreseen: Callable[[], float]) -> float:
        """Return the seconds that it may still wait for others.

        Args:
            foreseen: Returns the seconds that it will have to wait; called where the user has set no limit.
        """
        ...

    def waiting(self, stage: Stage) -> AbstractContextManager[None]:
        """Wait for the turn of a request meanwhile."""
        ...

    def asking(self) -> AbstractContextManager[None]:
        """Have a request under way meanwhile."""
        ...

    def expects(self, tokens: int) -> None:
        """Note tokens that it is going to ask for, input and output together."""
        ...

    def reserves(self, tokens: int) -> int:
        """Note that ``tokens`` are asked for now.

        Returns:
            The tokens that are expected to be asked for after them.
        """
        ...

    def at_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` when no answer is wanted any more."""
        ...

    def spent(self, stage: Stage, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Count a request and what it cost in tokens."""
        ...

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report: something went another way than planned."""
        ...


@runtime_checkable
class PreparingAnalyst(Protocol):
    """An analyst that works on one case at a time with outside help.

    The engine calls ``prepare`` for each case; what that returns answers the stages of the case.
    """

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    @property
    def model(self) -> str:
        """The model that it asks."""
        ...

    def group_tokens(self, digest_tokens: int) -> int:
        """Return the most tokens that a group may have.

        Args:
            digest_tokens: The size of the whole trace as text, in tokens.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """A text that differs wherever its answers to the same case might: prompts, parameters."""
        ...

    def prepare(self, case: Case, groups: Sequence[Group], job: Job) -> Analyst:
        """Return the analyst that answers the stages of one case. Nothing is sent yet.

        Args:
            case: The failed expectation.
            groups: All groups of its trace.
            job: Its time, its costs, its notes for the report.
        """
        ...

    def forecast(self, case: Case, groups: Sequence[Group]) -> Forecast:
        """Return what the diagnosis of a case would cost. Nothing is sent.

        Args:
            case: The failed expectation.
            groups: All groups of its trace.
        """
        ...


@dataclass(frozen=True)
class Forecast:
    """What a diagnosis would cost, if nothing has to be asked twice.

    Attributes:
        calls: Requests for a response.
        input_tokens: By our own count.
        least_output_tokens: The shortest sensible answers.
        most_output_tokens: The longest answers that are allowed.
    """

    calls: int
    input_tokens: int
    least_output_tokens: int
    most_output_tokens: int


@dataclass(frozen=True)
class Judgement:
    """One verdict on an expectation.

    Attributes:
        is_met: Whether it is met; ``None`` where the model could not decide.
        reasons: A sentence each.
        quotes: Passages of the trace that the verdict rests on.
    """

    is_met: bool | None
    reasons: tuple[str, ...] = ()
    quotes: tuple[Evidence, ...] = ()


@runtime_checkable
class Judge(Protocol):
    """Decides whether a trace meets an expectation that no check decides; an analyst that can do it is asked."""

    @property
    def model(self) -> str:
        """The model that it asks."""
        ...

    def judge(self, case: Case, job: Job) -> Judgement:
        """Return the verdict on an expectation.

        Args:
            case: The expectation and its trace; it has no failures yet.
            job: Its time, its costs, its notes for the report.

        Raises:
            AnalysisError: There was no usable answer.
        """
        ...

    def forecast_judge(self, case: Case) -> Forecast:
        """Return what one verdict would cost. Nothing is sent."""
        ...


@runtime_checkable
class Replayer(Protocol):
    """Makes a recorded call of a model again; an analyst that can do it is asked."""

    def replay(self, call: ModelCall, job: Job) -> Message:
        """Return what the model answers now. Tools that it calls are not executed.

        Raises:
            AnalysisError: There was no answer.
        """
        ...


@dataclass(frozen=True)
class SharedCause:
    """What several failures have in common, in business language.

    Attributes:
        cause: What they have in common, in one sentence.
        nodeids: The items that failed because of it.
        advice: What to do about it.
    """

    cause: str
    nodeids: tuple[str, ...]
    advice: str = ""


@dataclass(frozen=True)
class FailureSummary:
    """What a summarizer says of the failures of a session.

    Attributes:
        summary: A few sentences for somebody who reads nothing else.
        causes: What several of them have in common, in any order.
    """

    summary: str
    causes: tuple[SharedCause, ...]


@runtime_checkable
class FailureSummarizer(Protocol):
    """Says what the failures of a session have in common; an analyst that can do it is asked at the end of a run."""

    @property
    def model(self) -> str:
        """The model that it asks."""
        ...

    @property
    def fingerprint(self) -> str:
        """A text that differs wherever its answers to the same failures might."""
        ...

    def summarize(self, failures: Sequence[ItemRecord], job: Job) -> FailureSummary:
        """Return what the failures of a session have in common.

        Args:
            failures: The records of the items that were diagnosed.
            job: The time, the costs and the notes of the summary.

        Raises:
            AnalysisError: There was no usable answer.
        """
        ...

    def forecast_summary(self, failures: int) -> Forecast:
        """Return what a summary of so many failures would cost. Nothing is sent."""
        ...


class Lease(Protocol):
    """The permission to send one request now, whose tokens are booked."""

    @property
    def seconds_waited(self) -> float:
        """How long the request stood in the queue."""
        ...

    @property
    def assumed_limit(self) -> int | None:
        """The tokens per minute that it waited for and that were only assumed; ``None`` where it waited for none."""
        ...

    def settle(self, tokens: int, *, seconds: float | None = None) -> None:
        """Say what the request really cost, input and output together; 0 for one that was refused.

        Args:
            tokens: What it cost.
            seconds: How long ago it was sent, where that is known: it may have left later than it was granted.
        """
        ...


@dataclass(frozen=True)
class Spending:
    """What a request cost in tokens, and when its answer was there: seconds since the epoch."""

    at: float
    tokens: int


@dataclass(frozen=True)
class Work:
    """The piece of work that a request belongs to: a diagnosis, a verdict, a summary.

    A work has begun with its first granted request and ends with ``TokenBudget.finish``, or with its process.

    Attributes:
        id: Its name, different from that of any other work of any process: a random text, never a text of the user's.
        kind: ``diagnosis``, ``judge`` or ``summary``, as ``pytest-refinery budget`` shows it.
        stage: What this request is for, as reports call it; see ``Stage``.
        remaining_tokens: What the requests after this one are expected to cost together, in tokens, input and output;
            0 for the last one. For requests that are made side by side: all that are not reserved yet.
    """

    id: str
    kind: str = "diagnosis"
    stage: str = ""
    remaining_tokens: int = 0


class TokenBudget(Protocol):
    """Says when a request may be sent, for all processes that use one account.

    The way of one request: ``reserve``, send, ``settle``, ``observe`` the headers of the answer. Where
    the service refuses it with a 429: ``settle(0)``, then ``refused``, and ``reserve`` again unless that
    says that the refusal is final. When the last request of a work is settled, or it is given up: ``finish``.
    """

    @property
    def largest_request(self) -> int:
        """The tokens that one request may cost at most."""
        ...

    def reserve(
        self,
        tokens: int,
        requests: int = 1,
        *,
        work: Work | None = None,
        again: Callable[[], int] | None = None,
        timeout: float | None = None,
        cancelled: Event | None = None,
    ) -> Lease:
        """Wait until ``tokens`` fit under the limit and it is this request's turn.

        Args:
            tokens: What the request is expected to cost, input and output together.
            again: Returns that again while it waits: what others have cost by then may have taught more.
            requests: How many requests the service will count.
            work: What it is for. Work that has begun goes first; without a work, the request is one by itself.
            timeout: The most seconds to wait; ``None`` for as long as it takes.
            cancelled: Ends the wait when it is set, from any thread.

        Returns:
            The permission to send the request now.

        Raises:
            RequestTooLargeError: The request is larger than the limit, so it would wait for ever.
            BudgetError: It was not granted within ``timeout`` seconds, or ``cancelled`` was set meanwhile.
        """
        ...

    def finish(self, work_id: str) -> None:
        """Say that no request will follow for a work, so that the next one may begin; harmless where it is unknown."""
        ...

    def foreseen_wait(self, tokens: int) -> float:
        """Return in how many seconds so many more tokens could be granted, after what has begun or waits now."""
        ...

    def refused(self, headers: Mapping[str, str], message: str, *, code: str = "", attempt: int = 0) -> float | None:
        """Take note of a 429.

        Args:
            headers: Those of the answer.
            message: The error's own sentence.
            code: The error's own code.
            attempt: How many refusals of this request there were before.

        Returns:
            The seconds that all processes now hold back, or ``None`` where no retry can help.
        """
        ...

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:
        """Learn the limit, and what others have used, from an answer.

        Args:
            headers: Those of the answer.
            age_seconds: How long ago it was sent.
        """
        ...


class TokenEstimator(Protocol):
    """Says what a request will cost, and learns from what it did cost."""

    def expected(self, kind: str, *, input_tokens: int, max_output_tokens: int) -> int:
        """Return the tokens to reserve for a request.

        Args:
            kind: A word for requests of which one says something about the next.
            input_tokens: By our own count.
            max_output_tokens: What the answer may have at most.
        """
        ...

    def learn(self, kind: str, *, counted: int, input_tokens: int, output_tokens: int, max_output_tokens: int) -> None:
        """Learn from an answer.

        Args:
            kind: As in ``expected``.
            counted: The input by our own count.
            input_tokens: The input by the service's count.
            output_tokens: The output by the service's count.
            max_output_tokens: What the answer might have had at most.
        """
        ...

    def learn_refusal(self, *, counted: int, max_output_tokens: int, requested: int) -> None:
        """Learn from a 429 how the service counts: some reserve the whole permitted output.

        Args:
            counted: The input by our own count.
            max_output_tokens: What the answer might have had at most.
            requested: The tokens that the service counted for the request.
        """
        ...


class AnswerCache(Protocol):
    """Keeps what an analyst answered in earlier sessions."""

    def diagnosis(self, case: Case) -> Diagnosis | None:
        """Return the diagnosis of a case, marked as cached."""
        ...

    def store_diagnosis(self, case: Case, found: Diagnosis) -> None:
        """Keep a diagnosis if it is whole."""
        ...

    def verdict(self, case: Case, *, trials: int, pass_rate: float) -> JudgeRecord | None:
        """Return the judge's verdict on a case, marked as cached."""
        ...

    def store_verdict(self, case: Case, found: JudgeRecord) -> None:
        """Keep a verdict if it is one."""
        ...
