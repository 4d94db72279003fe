"""Expectation files as collectors, expectations as items."""

from __future__ import annotations

import dataclasses
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.errors import ExpectationFailed, ExpectationFileError, RefineryError, Undecided
from pytest_refinery.integration.item_records import record_of, scrubber_of, stable_nodeid, store_record
from pytest_refinery.integration.running.item_services import custom_checks
from pytest_refinery.integration.running.prefetch import Reference
from pytest_refinery.integration.workers import columns, only_plans
from pytest_refinery.reports import text
from pytest_refinery.reports.escape import line as printable_line
from pytest_refinery.reports.escape import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from os import PathLike
    from pathlib import Path

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.running.agent_runs import AgentRun
    from pytest_refinery.integration.running.item_services import ItemServices


class ExpectationFile(pytest.File):
    """A ``*.refinery.yaml`` file."""

    def __init__(self, *, services: ItemServices, **kwargs: Any) -> None:  # noqa: ANN401  (pytest's own arguments)
        super().__init__(**kwargs)
        self._services = services

    def collect(self) -> Iterator[ExpectationItem]:
        """Yield an item for each expectation; every problem of the file is one collection error."""
        # Here, not above: pytest asks for a collector for files that no one selected.
        from pytest_refinery.expectations import loader

        try:
            found = loader.load(self.path, custom=custom_checks(self), refuse_tag=self._services.tags.refuse)
        except ExpectationFileError as error:
            raise self.CollectError(str(error)) from error
        self._services.add(self)
        self._services.tags.register(tag for expectation in found for tag in expectation.tags)
        for expectation in found:
            yield ExpectationItem.from_parent(
                self, name=expectation.id, expectation=expectation, services=self._services
            )


class ExpectationItem(pytest.Item):
    """One expectation about one trace.

    The verdict on a recorded trace is found in ``setup``, so that an expectation that cannot be decided is an
    error; one that does not hold fails in the call phase. An agent is run in the call phase.
    """

    def __init__(self, *, expectation: Expectation, services: ItemServices, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.expectation = expectation
        self._services = services
        self._case: Case | None = None
        self._agent: AgentRun | None = None
        for tag in expectation.tags:
            self.add_marker(tag)

    @property
    def runs_agent(self) -> bool:
        """Whether an agent is re-run for it."""
        return self._services.agent_of(self.expectation) is not None

    def is_affected_by(self, agent: str, files: Collection[str]) -> bool:
        """Tell whether an agent is re-run for it: this one, or one that has one of these prompt files."""
        own = self._services.agent_of(self.expectation)
        if own is None or own == agent:
            return own is not None
        prompts = self._services.read_files(self.expectation.prompts, base=self.path.parent)
        return any(str(self._services.root / prompt.path) in files for prompt in prompts)

    @cached_property
    def may_be_prefetched(self) -> bool:
        """Whether its trace is a recorded one, and no cassette holds what is asked for it."""
        return not self.runs_agent and not self._services.cassette.is_in_use(self)

    @property
    def remote_trace(self) -> Reference | None:
        """What has to be fetched for it; a local file takes work, not a wait."""
        written, base = self.expectation.trace, self.path.parent
        if written is None or os.path.exists(base / written):  # noqa: PTH110  (False for any text)
            return None
        return Reference(written, base, self.expectation.project)

    def blank_record(self) -> ItemRecord:
        """Return the record as long as nothing is known."""
        from pytest_refinery.integration.running import evaluation

        return evaluation.blank_record(self.expectation, nodeid=stable_nodeid(self), file=self._shown_path())

    def setup(self) -> None:
        """Load the trace, and run the checks or ask the judge; or get the agent ready.

        Raises:
            RefineryError: The expectation cannot be decided.
        """
        base = self.path.parent
        from pytest_refinery.integration.running import agent_runs, evaluation

        if only_plans(self.config):
            return
        self._services.begin(self)
        record = record_of(self)
        if self.runs_agent:
            self._agent = agent_runs.prepared(self.expectation, self._services, base=base)
            if self._services.is_planning:
                self._settle(agent_runs.not_run(record, trials=self._services.verify_trials))
            return
        record, self._case = evaluation.judge(self.expectation, record, self._services, base=base)
        self._settle(record)

    def _settle(self, record: ItemRecord) -> None:
        from pytest_refinery.analysis.records import Outcome

        store_record(self, record)
        if record.outcome == Outcome.SKIPPED:
            pytest.skip(record.error or "")
        if record.outcome == Outcome.UNDECIDED:
            raise Undecided(record.error)

    def runtest(self) -> None:
        """Run the agent where there is one; fail where the expectation does not hold.

        Raises:
            ExpectationFailed: It does not hold.
            RefineryError: What the agent did cannot be decided.
        """
        if self._agent is not None:
            with self._services.cassette.undecided_on_miss():
                record, self._case = self._agent.evaluate(record_of(self), self._services)
            if record.agent is not None:
                self._services.keep_trace(record.nodeid, self._agent.traces[record.agent.shown - 1])
            self._settle(record)
        if self._case is None:
            return
        # A debugger stops where the agent, or a check, raised.
        raised = self._services.raised
        raise self._failure().with_traceback(raised.__traceback__ if raised else None)

    def explain(self, record: ItemRecord) -> ItemRecord:
        """Return the record of a failed expectation with its diagnosis, or with why there is none."""
        return self._services.diagnose(self, record, self._case, self.expectation.checks) if self._case else record

    def _failure(self) -> ExpectationFailed:
        record = record_of(self)
        headline = f"not met: {printable_line(record.expectation.expect)}"
        return ExpectationFailed(
            headline,
            text.verdict(record, width=columns(self.config), detail=text.Detail.of(self.config.get_verbosity())),
        )

    def teardown(self) -> None:
        """Let go of the trace."""
        self._case = self._agent = self._services.raised = None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401
        """Show our own failures as their text, at the line of the expectation."""
        if not isinstance(excinfo.value, ExpectationFailed | RefineryError):
            return super().repr_failure(excinfo, style)
        return plain_repr(excinfo, self.config, path=self.path, line=self.expectation.line)

    def reportinfo(self) -> tuple[PathLike[str] | str, int, str]:
        """Return the place of the expectation, 0-based as pytest wants it."""
        return self.path, self.expectation.line - 1, self.name

    def _shown_path(self) -> str:
        return self.nodeid.partition("::")[0]


def plain_repr(excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config, *, path: Path, line: int) -> Any:  # noqa: ANN401
    """Return pytest's native representation with our text and our place (1-based line) in it.

    Of all forms this one stays right with and without xdist, on a terminal and on CI, and
    annotates the file's own line on GitHub.
    """
    native = excinfo.getrepr(style="native")
    error = excinfo.value
    said = printable(scrubber_of(config).text(str(error)))
    headline = error.headline if isinstance(error, ExpectationFailed) else said.partition("\n")[0]
    shown = said if isinstance(error, ExpectationFailed) else text.sentence(said, width=columns(config))
    native.reprtraceback.reprentries[0].lines = [shown + "\n"]
    if native.reprcrash is not None:
        native.reprcrash = dataclasses.replace(native.reprcrash, path=str(path), lineno=line, message=headline)
    return native
