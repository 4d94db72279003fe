"""The end of a run, on the controller: what was found over all items, printed and written once."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from pytest_refinery import wiring
from pytest_refinery.analysis import plans
from pytest_refinery.analysis.compiling import compile_report
from pytest_refinery.analysis.records import ItemRecord
from pytest_refinery.reports import markdown, text

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.records import Report, SessionPlan
    from pytest_refinery.settings import Settings


class Summary:
    """Gathers the records that reports bring, from this process or from workers."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._settings = settings
        self._folder = config.invocation_params.dir / settings.report if settings.report else None
        self._records: dict[str, ItemRecord] = {}
        self._report: Report | None = None
        self._written: list[str] = []
        self._failed_to_write: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the latest record of each item; a rerun replaces the attempt before it."""
        data = getattr(report, "refinery", None)
        if data is not None:
            self._records[report.nodeid] = ItemRecord.model_validate(data)

    def pytest_sessionfinish(self) -> None:
        """Compile the report and write its files."""
        if not self._records:
            return
        self._report = compile_report(
            self._records.values(),
            plugin_version=version("pytest-refinery"),
            dollars=wiring.build_prices(),
            plan=self._plan(),
        )
        if self._folder is not None:
            self._write(self._folder, self._report)

    def _plan(self) -> SessionPlan | None:
        """Return what the run would cost, where it was asked to spend nothing."""
        planned = [record.plan for record in self._records.values() if record.plan]
        if not self._settings.plan or not planned:
            return None
        limit = wiring.build_budget(self._settings, tell=lambda _: None).largest_request
        dollars = wiring.build_prices()
        return plans.session(planned, model=self._settings.model, limit=limit, dollars=dollars)

    def _write(self, folder: Path, report: Report) -> None:
        files = {"report.json": report.model_dump_json(indent=2) + "\n", "report.md": markdown.render(report)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (folder / name).write_text(content, encoding="utf-8", errors="replace")
                self._written.append(str(folder / name))
        except OSError as error:
            self._failed_to_write = f"could not write the report to {folder}: {error.strerror or error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        if self._report is None:
            return
        terminalreporter.section("refinery summary", sep="=")
        width = min(terminalreporter.config.get_terminal_writer().fullwidth, 100)
        for line in text.summary(self._report, files=self._written, width=width):
            terminalreporter.write_line(line)
        if self._failed_to_write:
            terminalreporter.write_line(f"warning: {self._failed_to_write}", yellow=True)
