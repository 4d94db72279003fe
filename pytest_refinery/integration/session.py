"""The plugin object of a run that asked for the plugin: one per process."""

from __future__ import annotations

import traceback
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import RefineryError, Undecided
from pytest_refinery.integration.item_records import record_of, store_record
from pytest_refinery.integration.reporting import report_sections
from pytest_refinery.integration.reporting.failure_summary import Summarizer
from pytest_refinery.integration.reporting.pictures import PictureCollector
from pytest_refinery.integration.reporting.progress import Progress, ProgressOfWorkers
from pytest_refinery.integration.reporting.summary import Summary
from pytest_refinery.integration.running import marked_tests
from pytest_refinery.integration.running.item_services import ItemServices
from pytest_refinery.integration.running.items import ExpectationFile, ExpectationItem, plain_repr
from pytest_refinery.integration.workers import SharedFolder

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

_SUFFIXES = (".refinery.yaml", ".refinery.yml")


def start(config: pytest.Config, settings: Settings) -> None:
    """Register the hooks of a run that asked for the plugin.

    Raises:
        ConfigurationError: Nobody offers the analyst that was asked for.
    """
    progress = Progress(config)
    pictures = PictureCollector(is_wanted=settings.report is not None)
    services = ItemServices(config, settings, display=progress, pictures=pictures)
    config.pluginmanager.register(RefinerySession(services, pictures), "refinery-session")
    if not hasattr(config, "workerinput"):
        workers = SharedFolder()
        whole = cache(partial(_services_of_session, services, workers))
        summarizer = Summarizer(config, settings, progress)
        summary = Summary(config, settings, whole, pictures.take_spent, summarizer)
        config.pluginmanager.register(summary, "refinery-summary")
        config.pluginmanager.register(workers, "refinery-workers")
        config.pluginmanager.register(ProgressOfWorkers(config, workers), "refinery-progress")


def _services_of_session(services: ItemServices, workers: SharedFolder) -> Services:
    """Return the services of the process; on the controller of workers, those that count their tokens, too."""
    return services.build_again(workers.path) if workers.path else services.usual


class RefinerySession:
    """Collects expectations and keeps a record of every item that has one."""

    def __init__(self, services: ItemServices, pictures: PictureCollector) -> None:
        self._services = services
        self._pictures = pictures

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> ExpectationFile | None:
        """Collect expectation files, and no other YAML."""
        if not file_path.name.endswith(_SUFFIXES):
            return None
        return ExpectationFile.from_parent(parent, path=file_path, services=self._services)

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
        if fixturedef.scope == "function" and isinstance(request.node, pytest.Item):
            self._services.begin(request.node)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Diagnose a marked Python test that fails, inside its call phase."""
        mark = None if isinstance(item, ExpectationItem) else marked_tests.read(item)
        if mark is None:
            return (yield)
        try:
            self._services.begin(item)
            with self._services.cassette.undecided_on_miss():
                result = yield
        except pytest.exit.Exception:
            raise
        except Undecided as error:
            store_record(item, mark.undecided(error, record_of(item)))
            raise
        except (Exception, pytest.fail.Exception) as error:
            store_record(item, mark.explain(error, record_of(item), self._services))
            raise
        store_record(item, mark.passed(record_of(item)))
        return result

    def pytest_keyboard_interrupt(self) -> None:
        """Write no cassette of an item that was interrupted."""
        self._services.cassette.discard("the run was interrupted")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what became of the cassette of an item that was interrupted: it has no report."""
        if lost := self._services.cassette.lost:
            terminalreporter.write_line(f"warning: {lost}", yellow=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach what was found; nothing is computed here."""
        report = yield
        if report.when != "call" and report.failed and call.excinfo and isinstance(item, ExpectationItem):
            # pytest asks an item for its words in the call phase only.
            report.longrepr = item.repr_failure(call.excinfo)
        if call.excinfo and _is_undecided(item, call.excinfo):
            if not isinstance(item, ExpectationItem):
                # Where the test asked, and not all that lies between there and the cassette.
                line = _line_of(item, call.excinfo)
                report.longrepr = plain_repr(call.excinfo, item.config, path=item.path, line=line)
            if report.when == "call":
                # An error; and pytest knows none but those of setup and teardown.
                report.when = "setup"
        report_sections.to_report(item, call, report)
        if report_sections.cassette_to_report(item, report):
            self._services.cassette.lost = ""
        self._pictures.to_report(report)
        return report


def _is_undecided(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    return isinstance(excinfo.value, RefineryError if isinstance(item, ExpectationItem) else Undecided)


def _line_of(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> int:
    """Return the line in the item's file that led to an error, or the item's own (1-based)."""
    cause = excinfo.value.__cause__
    frames = traceback.extract_tb(cause.__traceback__ if cause else None)
    lines = [frame.lineno for frame in frames if frame.filename == str(item.path) and frame.lineno]
    return lines[-1] if lines else (item.location[1] or 0) + 1
