"""What items need of the engine: traces, verdicts, diagnoses."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import wiring
from pytest_refinery.integration.allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_refinery.analysis.engine import Analysis, Engine
    from pytest_refinery.analysis.ports import Analyst, Case, PreparingAnalyst, PromptFile
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.model import Trace

_ENDS_THE_RUN = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


class Workbench:
    """Loads traces and diagnoses failures for the items of one process.

    Raises:
        ConfigurationError: Nobody offers the analyst that was asked for.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.root = config.rootpath
        self._config = config
        self._settings = settings
        self._analyst = self._chosen_analyst(settings.analyst)
        self._source = wiring.build_source()
        worker: dict[str, Any] = getattr(config, "workerinput", {})
        self._allowance = Allowance(settings.max_diagnoses, session_id=worker.get("testrunuid"))

    def _chosen_analyst(self, name: str) -> Analyst | PreparingAnalyst:
        offered: Analyst | None = self._config.hook.pytest_refinery_analyst(name=name)
        return offered or wiring.build_analyst(name, self._settings)

    @cached_property
    def _engine(self) -> Engine:
        return wiring.build_engine(self._settings, self._analyst)

    @cached_property
    def custom_checks(self) -> dict[str, Callable[..., object]]:
        """The checks that plugins and conftest files offer, by name."""
        return {name: check for offered in self._config.hook.pytest_refinery_check() for name, check in offered.items()}

    def load(self, reference: str, *, base: Path) -> Trace:
        """Return the trace that ``reference`` names.

        Raises:
            TraceError: It cannot be read.
        """
        return self._source.load(reference, base=base)

    def read_prompts(self, patterns: Iterable[str], *, base: Path) -> tuple[PromptFile, ...]:
        """Return the prompt files that match ``patterns``.

        Raises:
            TraceError: A pattern matches nothing, or a file is no text.
        """
        return wiring.read_prompt_files(patterns, base=base, root=self.root)

    def diagnosed(self, record: ItemRecord, case: Case) -> ItemRecord:
        """Return the record of a failed item with its diagnosis, or with why there is none."""
        if not self._settings.diagnose:
            return record
        if not self._allowance.take():
            limit = f"the limit of --refinery-max-diagnoses {self._settings.max_diagnoses} is reached"
            return record.model_copy(update={"error": f"Not diagnosed: {limit}."})
        diagnosis, error = self._diagnose(case)
        if diagnosis is not None:
            error = self._announce(record.nodeid, diagnosis)
        return record.model_copy(update={"diagnosis": diagnosis, "error": error})

    def _announce(self, nodeid: str, diagnosis: Diagnosis) -> str | None:
        try:
            self._config.hook.pytest_refinery_diagnosed(nodeid=nodeid, diagnosis=diagnosis)
        except Exception as error:  # noqa: BLE001  (somebody else's hook; the item has failed for another reason)
            return f"The hook pytest_refinery_diagnosed failed: {type(error).__name__}: {error}"
        return None

    def _diagnose(self, case: Case) -> tuple[Diagnosis | None, str | None]:
        analysis: Analysis | None = None
        try:
            analysis = self._engine.begin(case)
            found = analysis.finish()
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever happens here, the outcome of the item stands)
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            if analysis is None:
                return None, f"No diagnosis: {why}"
            # pytest-timeout raises here, in the middle of the stages.
            return analysis.so_far(f"cut short ({why})"), None
        else:
            return found, None

    def close(self) -> None:
        """Remove what workers shared."""
        self._allowance.close()
