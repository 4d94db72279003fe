"""The suggested fix of a failed item, tried before its report is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery import wiring
from pytest_refinery.integration.item_records import ENDS_THE_RUN
from pytest_refinery.integration.workers import counting_folder, invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import SuggestedFix, Verification
    from pytest_refinery.expectations.checks import Check
    from pytest_refinery.integration.running.diagnosis import Display
    from pytest_refinery.settings import Settings
    from pytest_refinery.verification.suite_runs import Suite
    from pytest_refinery.wiring import Services

# What would write where the session itself does, or wait for somebody.
_NOT_TAKEN_OVER = ("--refinery-verify", "--refinery-replay", "--refinery-report", "--pdb", "--trace")


@dataclass(frozen=True)
class DecisiveStep:
    """What is known about a failed item beside its record.

    Attributes:
        checks: Those of its expectation.
        custom: The checks that the suite offers.
        import_from: Where the modules are looked for that checks name.
    """

    case: Case
    checks: tuple[Check, ...]
    custom: Mapping[str, Callable[..., object]]
    import_from: tuple[Path, ...]


class Verifications:
    """Tries the fixes of one process."""

    def __init__(self, config: pytest.Config, settings: Settings, display: Display) -> None:
        self._config = config
        self._settings = settings
        self._display = display
        self._known: dict[tuple[str, str], Verification] = {}

    def verified(self, record: ItemRecord, step: DecisiveStep, services: Services) -> ItemRecord:
        """Return the record of a diagnosed item with what trying its fix has shown, where that is asked for."""
        diagnosis = record.diagnosis
        fix = diagnosis.suggested_fix if diagnosis else None
        is_wanted = self._settings.verify or self._settings.replay
        if diagnosis is None or fix is None or not fix.diff or not is_wanted:
            return record
        key = (record.nodeid, fix.diff)
        if key not in self._known:
            # Where a failed test is run again, the same fix need not be.
            self._known[key] = self._tried(record, fix, step, services)
        return record.model_copy(update={"diagnosis": diagnosis.with_verification(self._known[key])})

    def _tried(self, record: ItemRecord, fix: SuggestedFix, step: DecisiveStep, services: Services) -> Verification:
        from pytest_refinery.verification.scratch import NotPossible, not_possible

        # Where no call is to be made again, it says why the agent cannot be run.
        can_run = bool(self._settings.verify and (record.agent or not self._settings.replay))
        try:
            with self._display.about(record.nodeid):
                if can_run:
                    return self._rerun(record, fix.diff, self._settings.verify or 0)
                return self._replayed(record, fix, step, services)
        except NotPossible as why:
            return not_possible(why, how="rerun" if can_run else "replay")
        except ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  (pytest-timeout raises anywhere; the diagnosis stands)
            cut = f"it was cut short ({type(error).__name__}: {error})"
            return not_possible(cut, how="rerun" if can_run else "replay")

    def _rerun(self, record: ItemRecord, diff: str, trials: int) -> Verification:
        from pytest_refinery.verification.rerun import Patch

        verifier = wiring.build_verifier(self._suite(), trials, show=self._display.show)
        return verifier.verify(record, Patch(diff, self._config.rootpath))

    def _replayed(self, record: ItemRecord, fix: SuggestedFix, step: DecisiveStep, services: Services) -> Verification:
        from pytest_refinery.analysis.diagnosis_job import TimedJob
        from pytest_refinery.analysis.ports import Stage
        from pytest_refinery.verification import replay
        from pytest_refinery.verification.scratch import NotPossible

        diagnosis, trace = record.diagnosis, step.case.trace
        run = trace.by_id.get((diagnosis.responsible_run_id if diagnosis else None) or "")
        if run is None:
            msg = "no single step is named as the decisive one"
            raise NotPossible(msg)
        call = replay.whole(run)
        changed = replay.with_fix(call, fix, step.case.prompt_files)
        failed = replay.failed_by(run, trace, step.checks, custom=step.custom, import_from=step.import_from)
        job = TimedJob(self._settings.timeout, max_wait=self._settings.max_wait)
        started = job.clock()
        self._display.show("asking the decisive step again")
        found = replay.made_again(services.replayer(job), call, changed, self._settings.replay or 0)
        costs = job.report(Stage.REPLAY, started=started)
        return found.verdict(failed, tokens=costs.input_tokens + costs.output_tokens)

    def _suite(self) -> Suite:
        from pytest_refinery.verification.suite_runs import SHARED_FOLDER, Suite

        config, folder = self._config, self._config.invocation_params.dir
        shared = counting_folder(config)
        return Suite(
            root=config.rootpath,
            folder=folder,
            arguments=tuple(self._arguments()),
            variables={SHARED_FOLDER: str(shared)} if shared else {},
            has_cache=config.pluginmanager.hasplugin("cacheprovider"),
            timeout=self._settings.timeout,
        )

    def _arguments(self) -> list[str]:
        config = self._config
        given, skipped = [], False
        for argument in invocation(config):
            # "--option value", or "--option=value".
            is_ours = argument.partition("=")[0] in _NOT_TAKEN_OVER
            given += [] if is_ours or skipped else [argument]
            skipped = is_ours and argument.startswith("--refinery") and "=" not in argument
        ini = ["-c", os.path.relpath(config.inipath, config.invocation_params.dir)] if config.inipath else []
        alone = ["-n0"] if config.pluginmanager.hasplugin("xdist") else []
        # Strictly offline stays so; otherwise nothing is recorded.
        mode = "none" if self._settings.record == "none" else "auto"
        return [*given, *ini, *alone, "-k", "", "-m", "", f"--refinery-record={mode}"]
