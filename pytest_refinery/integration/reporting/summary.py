"""The end of a run, on the controller: what was found over all items, printed and written once."""

from __future__ import annotations

from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis import cassette_records, gate, history, plans, session_report, shared_causes
from pytest_refinery.analysis.cassette_records import CassetteRecord
from pytest_refinery.analysis.gate import Baseline
from pytest_refinery.analysis.records import GateVerdict, ItemRecord, Outcome, PlanRecord
from pytest_refinery.analysis.session_report import session_cost
from pytest_refinery.integration.reporting import colours, failure_summary, github, report_files
from pytest_refinery.integration.reporting.pictures import PictureStore
from pytest_refinery.integration.reporting.report_sections import TITLE, JUnit, unread
from pytest_refinery.integration.workers import columns
from pytest_refinery.reports import baselines, escape, markdown, text
from pytest_refinery.reports.page.kept import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.analysis.history import Past
    from pytest_refinery.analysis.records import Report, SessionPlan, SummaryResult
    from pytest_refinery.integration.reporting.failure_summary import Summarizer
    from pytest_refinery.reports.page.kept import Kept
    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

_QUIETEST = -1
_NAMED = 3
_FAILURES_KEY = "refinery/failures"


class Summary:
    """Gathers the records that reports bring, from this process or from workers.

    Args:
        services: Returns those of the whole session.
        spent: Returns what this process spent and when, and no report carried.
    """

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        services: Callable[[], Services],
        spent: Callable[[], list[tuple[float, int]]],
        summarizer: Summarizer,
        missing: Callable[[Collection[str]], Iterable[ItemRecord]],
    ) -> None:
        self._config = config
        self._settings = settings
        self._services = services
        self._spent = spent
        self._summarizer = summarizer
        self._missing = missing
        self._interruption = ""
        self._folder = config.invocation_params.dir / settings.report if settings.report else None
        self._earlier = EarlierRuns(config, self._folder, settings)
        self._junit = JUnit(config)
        self._failing: set[str] = set()
        self._pictures = PictureStore()
        self._records: dict[str, ItemRecord] = {}
        self._crashes: dict[str, str] = {}
        self._tapes: dict[str, CassetteRecord] = {}
        self._report: Report | None = None
        self._written: list[Path] = []
        self._problems: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the latest record of each item; a rerun replaces the attempt before it."""
        data = getattr(report, "refinery", None)
        if data is not None:
            record = ItemRecord.model_validate(data)
            self._records[record.nodeid] = record
            self._failing.discard(record.nodeid)
            if report.failed:
                self._show(report, record)
            self._pictures.take(report, record.nodeid)
        elif report.failed and report.when not in {"setup", "call", "teardown"}:
            # What pytest-xdist reports in the name of a worker that has ended.
            self._crashes[report.nodeid] = escape.line(report.longreprtext.strip().rpartition("\n")[2])
        tape = getattr(report, "refinery_tape", None)
        if tape is not None:
            found = CassetteRecord.model_validate(tape)
            self._tapes[found.nodeid] = found

    def _show(self, report: pytest.TestReport, record: ItemRecord) -> None:
        """Let others show what failed: the JUnit file the whole text, the terminal its colours."""
        self._failing.add(record.nodeid)
        self._junit.add_output(report, partial(text.whole, record))
        if self._config.pluginmanager.hasplugin("terminalreporter"):
            colours.paint(report, TITLE)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Take note that the run was interrupted, and why where somebody says it."""
        # pytest-xdist stops a run in this way after too many failures.
        said = str(excinfo.value)
        self._interruption = f"the run stopped before it ({said})" if said else "the run was interrupted"

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Compile the report and write its files."""
        if self._records or self._crashes or self._interruption:
            self._add_missing(session)
        if not self._records:
            return
        records = tuple(self._records.values())
        self._report = session_report.compile_report(
            records,
            plugin_version=version("pytest-refinery"),
            dollars=wiring.build_prices(),
            plan=self._plan(),
            summary_result=None if exitstatus == pytest.ExitCode.INTERRUPTED else self._summary_result(),
            baseline=self._baseline(),
            replayed={nodeid for nodeid, tape in self._tapes.items() if tape.is_replayed},
        )
        self._problems += self._live(records)
        self._earlier.remember(records)
        self._write(self._report)
        session.exitstatus = self._exit_status(session, exitstatus)

    def _exit_status(self, session: pytest.Session, exitstatus: int) -> int:
        """Return the exit status of a run that a baseline excuses, or fails although all of its tests pass."""
        comparison = self._report.comparison if self._report else None
        found = comparison.gate if comparison else None
        if (
            self._report is None
            or found is None
            or exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        ):
            return exitstatus
        if found.verdict is GateVerdict.FAIL:
            return pytest.ExitCode.TESTS_FAILED
        excused = self._failing & gate.excused(self._report.expectations, found)
        is_whole = not any(item.outcome is Outcome.SKIPPED and item.error for item in self._report.expectations)
        return pytest.ExitCode.OK if is_whole and session.testsfailed == len(excused) else exitstatus

    def _add_missing(self, session: pytest.Session) -> None:
        """Add a record for each item that was collected and has no report of its own; each says why."""
        why = self._interruption or _reason_to_stop(session)
        for record in self._missing(set(self._records)):
            crash = self._crashes.get(record.nodeid)
            outcome = Outcome.FAILED if crash else Outcome.SKIPPED
            error = f"Not decided: {crash}." if crash else f"Not run: {why}."
            self._records[record.nodeid] = record.model_copy(update={"outcome": outcome, "error": error})
        if not_run := sum((record.error or "").startswith("Not run: ") for record in self._records.values()):
            self._problems.append(f"{not_run} {'was' if not_run == 1 else 'were'} not run: {why}")

    def _live(self, records: Iterable[ItemRecord]) -> Iterator[str]:
        """Yield a sentence where items asked a model though the suite has cassettes, none of which has their name."""
        folder = self._config.rootpath / self._settings.cassettes
        has_cassettes = any(tape.played for tape in self._tapes.values()) or any(folder.rglob("*.yaml"))
        if self._settings.record != "auto" or not has_cassettes:
            return
        costs = {record.nodeid: session_cost(record) for record in records if record.nodeid not in self._tapes}
        live = [nodeid for nodeid, tokens in costs.items() if tokens]
        if live:
            more = f" and {len(live) - _NAMED} more" if len(live) > _NAMED else ""
            yield (
                f"no cassette has the name of {', '.join(live[:_NAMED])}{more}: a model was asked, for "
                f"{sum(costs.values())} tokens. Record with --refinery-record=once, or forbid it with "
                "--refinery-record=none"
            )

    def _baseline(self) -> Baseline | None:
        settings = self._settings
        try:
            past = self._earlier.to_compare()
        except history.ForeignReportError as error:
            self._problems.append(str(error))
            past = None
        if past is None:
            if settings.fail_on != "any":
                self._problems.append("there is nothing to compare with yet, so any failure fails this run")
            return None
        return Baseline(past, fail_on=settings.fail_on, alpha=settings.alpha, is_whole=_is_whole(self._config))

    def _summary_result(self) -> SummaryResult | None:
        """Return what a model says of all failures together, ``None`` where none is to be asked."""
        failures = session_report.ordered(record for record in self._records.values() if record.has_cause)
        if len(failures) < shared_causes.FEWEST or any(tape.played for tape in self._tapes.values()):
            return None
        try:
            return self._summarizer.run(self._services(), failures)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (the run is over and its outcome stands)
            why = f"{type(error).__name__}: {error}".removesuffix(": ")
            self._problems.append(f"the causes are grouped by their words alone: {why}")
            return None

    def _updated(self) -> Iterator[str]:
        """Yield what became of recordings that were to be updated."""
        for record in self._records.values() if self._settings.update else ():
            for note in record.trace.notes if record.trace is not None else ():
                if "recording" in note:
                    yield f"{record.nodeid}: {note}"

    def _unread(self) -> Iterator[str]:
        """Yield what was not read of the traces of items that passed, whose sections pytest shows on request only."""
        if set(self._config.getoption("reportchars")) & set("PA"):
            return
        passed = [record for record in self._records.values() if record.outcome == Outcome.PASSED]
        found = {record.nodeid: notes for record in passed if (notes := unread(record))}
        for nodeid in [*found][:_NAMED]:
            yield f"{nodeid} passed, but not all of its trace was read: {' '.join(found[nodeid])}"
        if len(found) > _NAMED:
            yield f"so did {len(found) - _NAMED} more; -rA shows what was not read of their traces"

    def _plan(self) -> SessionPlan | None:
        """Return what the run would cost, where it was asked to spend nothing."""
        planned = [record.plan for record in self._records.values() if record.plan]
        if not self._settings.plan or not planned:
            return None
        dollars = wiring.build_prices()
        failures = sum(record.outcome == Outcome.FAILED for record in self._records.values())
        analyst, judged = self._services().analyst, sum(plan.calls_if_failed > 0 for plan in planned)
        summary = failure_summary.plan(analyst, failures)
        if judged and not summary and (later := failure_summary.plan(analyst, failures + judged)):
            summary = plans.if_failed(PlanRecord(), later)
        return plans.session(planned, model=self._settings.model, limit=self._limit(), dollars=dollars, summary=summary)

    def _limit(self) -> int:
        """Return the tokens per minute of the account, as far as they are known."""
        return self._services().tokens_per_minute

    def _write(self, report: Report) -> None:
        problem = github.write_step_summary(report)
        self._problems += [problem] if problem else []
        if self._folder is None:
            return
        self._pictures.take_spent(self._spent())
        shown = cache(lambda: self._pictures.kept(limit=self._limit))
        files: dict[str, Callable[[], str | None]] = {
            "report.json": lambda: report.model_dump_json(indent=2) + "\n",
            "report.md": partial(markdown.render, report),
            "index.html": lambda: _page(report, shown()),
            "refinery-fix.patch": partial(self._patch, report),
        }
        # What later commands read, and no person.
        kept: dict[str, Callable[[], str | None]] = {FILE: lambda: shown().dump()}
        kept |= {baselines.trace_file(nodeid): partial(str, text) for nodeid, text in self._pictures.traces.items()}
        self._written, problems = report_files.write(self._folder, files)
        _, lost = report_files.write(self._folder, kept)
        self._problems += [*problems, *lost]

    def _patch(self, report: Report) -> str | None:
        """Return the suggested changes of prompt files as a patch, ``None`` where there are none."""
        merged = report_files.patch_of(report, root=self._config.rootpath)
        self._problems += merged.left_out
        return merged.text or None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        if self._report is None:
            return
        failing = [
            item for item in session_report.failures_first(self._report.expectations) if item.nodeid in self._failing
        ]
        for command in github.annotate(self._config, failing):
            terminalreporter.ensure_newline()
            terminalreporter.write_line(command)
        if self._config.get_verbosity() < _QUIETEST:
            return
        terminalreporter.section("refinery summary", sep="=")
        width = columns(self._config)
        detail = text.Detail.of(self._config.get_verbosity())
        files = [_shown(path, self._config.invocation_params.dir) for path in self._written]
        lines = text.summary(self._report, files=files, width=width, detail=detail)
        colours.write(self._config.get_terminal_writer(), lines)
        if found := cassette_records.headline(self._tapes.values()):
            terminalreporter.write_line(f"cassettes: {found}")
        for problem in (
            *self._problems,
            *cassette_records.problems(self._tapes.values()),
            *self._unread(),
            *self._updated(),
        ):
            said = colours.encodable(f"warning: {escape.line(problem)}", self._config.get_terminal_writer())
            terminalreporter.write_line(said, yellow=True)


def _shown(path: Path, base: Path) -> str:
    return str(path.relative_to(base) if path.is_relative_to(base) else path)


def _reason_to_stop(session: pytest.Session) -> str:
    """Return why a run came to its end before all of its items."""
    plugins = [session, *session.config.pluginmanager.get_plugins()]
    found = [getattr(each, name, None) for each in plugins for name in ("shouldfail", "shouldstop")]
    why = next((reason for reason in found if reason and isinstance(reason, str)), "")
    return f"the run stopped before it ({why})" if why else "the run ended before it"


def _is_whole(config: pytest.Config) -> bool:
    """Tell whether nothing was deselected."""
    selecting = ("keyword", "markexpr", "deselect", "lf", "stepwise")
    return not any(config.getoption(name, None) for name in selecting) and not any("::" in arg for arg in config.args)


class EarlierRuns:
    """The run that this one is compared with: the named baseline, else the report in ``folder``, else the last one.

    Raises:
        ConfigurationError: There is no such baseline.
    """

    def __init__(self, config: pytest.Config, folder: Path | None, settings: Settings) -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        self._report = folder / "report.json" if folder else None
        self._shown = f"the earlier {settings.report}/report.json"
        if settings.baseline is not None:
            current = config.invocation_params.dir
            self._report = baselines.find(settings.baseline, root=config.rootpath, current=current)
            self._shown = f"baseline {settings.baseline}"

    def to_compare(self) -> Past | None:
        """Return what is known of that run, ``None`` where there was none.

        Raises:
            ForeignReportError: The folder holds a ``report.json`` that cannot be used.
        """
        if self._report is None or not self._report.is_file():
            return self._last()
        try:
            content = self._report.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            msg = f"{self._shown} cannot be read ({error.strerror}), so nothing was compared with it"
            raise history.ForeignReportError(msg) from error
        return history.read_report(content, name=self._shown)

    def remember(self, items: Iterable[ItemRecord]) -> None:
        """Keep what the next run should know; a worker or a run without a cache keeps nothing."""
        if self._cache is not None:
            known = history.remembered(items, self._last())
            self._cache.set(_FAILURES_KEY, known.model_dump(mode="json"))

    def _last(self) -> Past | None:
        content = self._cache.get(_FAILURES_KEY, None) if self._cache else None
        return None if content is None else history.read_cached(content)


def _page(report: Report, shown: Kept) -> str:
    # The template engine loads only where a page is written.
    from pytest_refinery.reports.page.render import render

    return render(report, shown)
