"""The plugin object of a run that asked for the plugin: one per process."""

from __future__ import annotations

import traceback
from collections import Counter
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import RefineryError, Undecided
from pytest_refinery.integration.item_records import ENDS_THE_RUN, find_record, record_of, stable_nodeid, store_record
from pytest_refinery.integration.reporting import report_sections
from pytest_refinery.integration.reporting.failure_summary import Summarizer
from pytest_refinery.integration.reporting.pictures import PictureCollector
from pytest_refinery.integration.reporting.progress import Progress, WorkerProgress
from pytest_refinery.integration.reporting.summary import Summary
from pytest_refinery.integration.running import marked_tests, outcomes
from pytest_refinery.integration.running.collected import Collected
from pytest_refinery.integration.running.item_services import ItemServices
from pytest_refinery.integration.running.items import ExpectationFile, ExpectationItem, plain_repr
from pytest_refinery.integration.workers import SharedFolder, only_plans
from pytest_refinery.reports import anchors

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator
    from pathlib import Path

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

_SUFFIXES = (".refinery.yaml", ".refinery.yml")


def start(config: pytest.Config, settings: Settings) -> None:
    """Register the hooks of a run that asked for the plugin.

    Raises:
        ConfigurationError: No one offers the analyst that was asked for.
    """
    progress = Progress(config)
    pictures = PictureCollector(is_wanted=settings.report is not None, seconds=settings.timeout)
    services = ItemServices(config, settings, display=progress, pictures=pictures)
    session = RefinerySession(config, settings, services, pictures)
    config.pluginmanager.register(session, "refinery-session")
    if not hasattr(config, "workerinput"):
        workers = SharedFolder()
        if settings.verify:
            workers.count_in_folder(config)
        wiring.remove_leftover_copies()
        whole = cache(partial(_services_of_session, services, workers))
        summarizer = Summarizer(config, settings, progress)
        summary = Summary(config, settings, whole, pictures.take_spent, summarizer, partial(_missing, session, workers))
        config.pluginmanager.register(summary, "refinery-summary")
        config.pluginmanager.register(workers, "refinery-workers")
        config.pluginmanager.register(WorkerProgress(config, workers), "refinery-progress")


def _services_of_session(services: ItemServices, workers: SharedFolder) -> Services:
    """Return the services of the process; on the controller of workers, those that count their tokens, too."""
    return services.build_again(workers.path) if workers.path else services.usual


def _missing(session: RefinerySession, workers: SharedFolder, known: Collection[str]) -> Iterator[ItemRecord]:
    return session.collected.missing(known, workers.path)


class RefinerySession:
    """Collects expectations and keeps a record of every item that has one."""

    def __init__(
        self, config: pytest.Config, settings: Settings, services: ItemServices, pictures: PictureCollector
    ) -> None:
        self.collected = Collected(config)
        self._services = services
        self._pictures = pictures
        self._diagnoses_expected = settings.diagnose_xfail
        self._has_properties = settings.junit_properties
        self._report_folder = settings.report
        self._names: Counter[str] = Counter()
        self._only_plans = only_plans(config)
        self._calling: pytest.Item | None = None
        self._subtests: list[tuple[str, str]] = []

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> ExpectationFile | None:
        """Collect expectation files, and no other YAML."""
        if not file_path.name.endswith(_SUFFIXES):
            return None
        return ExpectationFile.from_parent(parent, path=file_path, services=self._services)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what was collected and not deselected."""
        self._names = anchors.counted(map(stable_nodeid, session.items))
        if not self._only_plans:
            self.collected.add(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Begin to fetch what this item and the next ones need; others run it."""
        self._services.prefetch(item, nextitem)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Start each attempt, reruns too, with a fresh record."""
        if isinstance(item, ExpectationItem):
            store_record(item, item.blank_record())
        elif (mark := marked_tests.read(item)) is not None:
            store_record(item, mark.blank_record())
        with self._services.cassette.undecided_on_miss():
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
        """Open the cassette of a test before the first fixture of its own: wider ones belong to no test."""
        if not self._only_plans and fixturedef.scope == "function" and isinstance(request.node, pytest.Item):
            self._services.begin(request.node)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open the cassette of a marked Python test, and gather what the reports of its subtests say."""
        if isinstance(item, ExpectationItem) or find_record(item) is None:
            return (yield)
        self._services.begin(item)
        self._subtests = []
        self._calling = item
        try:
            with self._services.cassette.undecided_on_miss():
                return (yield)
        finally:
            self._calling = None

    def pytest_keyboard_interrupt(self) -> None:
        """Write no cassette of an item that was interrupted."""
        self._services.cassette.discard("the run was interrupted")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what became of the cassette of an item that was interrupted: it has no report."""
        if lost := self._services.cassette.lost:
            terminalreporter.write_line(f"warning: {lost}", yellow=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the record agree with the report, once all others have said what the report is; diagnose a failure."""
        report = yield
        if self._calling is item:
            self._subtests += [_failure(call, report)] if report.failed else []
            return report
        if find_record(item) is not None:
            self._settle(item, call, report)
        if report_sections.cassette_to_report(item, report):
            self._services.cassette.lost = ""
        self._pictures.to_report(report)
        return report

    def _settle(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        if report.when != "call" and report.failed and call.excinfo and isinstance(item, ExpectationItem):
            # pytest asks an item for its words in the call phase only.
            report.longrepr = item.repr_failure(call.excinfo)
        if report.failed and call.excinfo and _is_undecided(item, call.excinfo):
            _show_as_error(item, call.excinfo, report)
        record = outcomes.with_outcome(record_of(item), report, call)
        if record is None:
            return
        if call.when == "call" and not isinstance(item, ExpectationItem):
            record = self._with_trace(item, call, report, record)
        if self._is_to_be_diagnosed(item, report, record):
            record = self._explain(item, call, report, record)
        store_record(item, record)
        folder, anchor = self._report_folder, anchors.of(stable_nodeid(item), self._names)
        page = f"{folder}/index.html#{anchor}" if folder else ""
        report_sections.to_report(item, report, record_of(item), page=page, has_properties=self._has_properties)

    def _with_trace(
        self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, record: ItemRecord
    ) -> ItemRecord:
        if self._subtests and report.passed:
            # pytest-subtests reports only the subtests as failed.
            record = record.model_copy(update={"outcome": Outcome.FAILED})
        elif report.failed:
            self._subtests = self._subtests or [_failure(call, report)]
        return marked_tests.with_trace(item, record)

    def _is_to_be_diagnosed(self, item: pytest.Item, report: pytest.TestReport, record: ItemRecord) -> bool:
        # Of several attempts the last one is diagnosed: the others cost as much and no one sees them.
        if report.when != "call" or outcomes.is_unexpected_success(report) or outcomes.is_rerun(item, report):
            return False
        is_expected = outcomes.is_expected_failure(report) and self._diagnoses_expected
        return record.outcome is Outcome.FAILED or is_expected

    def _explain(
        self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, record: ItemRecord
    ) -> ItemRecord:
        try:
            if isinstance(item, ExpectationItem):
                return item.explain(record)
            mark = marked_tests.read(item)
            failures = self._subtests or [_failure(call, report)]
            return mark.explain(failures, record, self._services) if mark else record
        except ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  (from here it would end the session; pytest-timeout raises anywhere)
            return record.model_copy(update={"error": f"No diagnosis: {outcomes.message(error)}"})


def _failure(call: pytest.CallInfo[None], report: pytest.TestReport) -> tuple[str, str]:
    """Return what a failed report says: its kind with the message, and the message alone."""
    if call.excinfo is None:
        return report.longreprtext, report.longreprtext
    return outcomes.message(call.excinfo.value), str(call.excinfo.value)


def _show_as_error(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
    """Let a report say that nothing could be decided: an error, and pytest knows none but those of setup."""
    if not isinstance(item, ExpectationItem):
        # Where the test asked, and not all that lies between there and the cassette.
        report.longrepr = plain_repr(excinfo, item.config, path=item.path, line=_line_of(item, excinfo))
    if report.when == "call":
        report.when = "setup"


def _is_undecided(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    return isinstance(excinfo.value, RefineryError if isinstance(item, ExpectationItem) else Undecided)


def _line_of(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> int:
    """Return the line in the item's file that led to an error, or the item's own (1-based)."""
    cause = excinfo.value.__cause__
    frames = traceback.extract_tb(cause.__traceback__ if cause else None)
    lines = [frame.lineno for frame in frames if frame.filename == str(item.path) and frame.lineno]
    return lines[-1] if lines else (item.location[1] or 0) + 1
