"""What the engine needs from outside, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.schemas import Conclusion, Finding, Gap, GapAnalysis, GroupAnalysis
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.traces.model import Trace
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
        expect: What should have happened, in the expert's words.
        failures: What the checks, the judge or the test's own assertion expected and found.
        prompts: What the agent was told, as read out of the trace.
        prompt_files: What the agent was told, as the repository has it.
    """

    trace: Trace
    expect: str
    business_context: str = ""
    failures: tuple[Gap, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    prompt_files: tuple[PromptFile, ...] = ()


class Analyst(Protocol):
    """Answers the stages of a diagnosis.

    Each method may raise ``AnalysisError`` with a sentence for the user; the engine goes on
    with what it has.
    """

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def analyse_group(self, case: Case, group: Group) -> GroupAnalysis:
        """Stage 1: say what went wrong in the runs of one group. Called concurrently."""
        ...

    def find_gaps(self, case: Case, findings: Sequence[Finding]) -> GapAnalysis:
        """Stage 2: say what was expected and what was there, and what the agent lacked."""
        ...

    def conclude(self, case: Case, findings: Sequence[Finding], gaps: GapAnalysis) -> Conclusion:
        """Stage 3: name the decisive run, the cause and the change that would have helped."""
        ...
