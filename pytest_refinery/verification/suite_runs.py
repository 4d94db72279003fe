"""Runs of pytest in a copy of the project: one process each, in a process group of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_refinery import shared_file
from pytest_refinery.analysis.records import ItemRecord
from pytest_refinery.verification import copy_guard
from pytest_refinery.verification.scratch import NotPossible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_refinery.verification.scratch import Copy

_EXPECTATION_FILES = (".refinery.yaml", ".refinery.yml")
# What a run in a copy must not write to, or take for its own.
_NOT_PASSED_ON = ("GITHUB_STEP_SUMMARY", "REFINERY_REPORT", "REFINERY_VERIFY", "PYTEST_CURRENT_TEST", "PYTEST_VERSION")
SHARED_FOLDER = "REFINERY_SHARED_FOLDER"
"""The variable that names the folder in which the runs count their tokens with the session that began them."""
_OPTIONS = "PYTEST_ADDOPTS"
_SAID_CHARACTERS = 300
# What pytest says where no item was left: there are no others.
_NO_ITEMS = "it ended with code 5"


@dataclass(frozen=True)
class Suite:
    """How the suite is run.

    Attributes:
        root: pytest's root folder, which node ids are relative to.
        folder: Where pytest was started.
        arguments: The options of pytest that the runs take over.
        variables: Environment variables beside those of this process.
        has_cache: Whether pytest keeps a cache, in which answers of a judge would be found again.
        timeout: Seconds that one run may take.
    """

    root: Path
    folder: Path
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    has_cache: bool = True
    timeout: float = 300.0


@dataclass(frozen=True)
class SuiteRun:
    """What one run showed.

    Attributes:
        records: One for each item.
        is_read: Whether a file that the fix changes was read in the copy.
        read_in_project: The files that the fix changes, as far as they were read in the project itself.
        problem: Why there are no records.
    """

    records: tuple[ItemRecord, ...] = ()
    is_read: bool = False
    read_in_project: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class SuiteRuns:
    """Runs pytest in one copy.

    Args:
        changed: The files that the fix changes, relative to the top of the project.
    """

    suite: Suite
    copy: Copy
    changed: tuple[str, ...]
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self, nodeids: Sequence[str]) -> SuiteRun:
        """Run the items of these ids."""
        root = self.copy.place_of(self.suite.root)
        return self._run([str(root / nodeid) for nodeid in nodeids], {})

    def run_others(self, agent: str, without: str) -> SuiteRun:
        """Run the other expectations of an agent, or of a file that the fix changes."""
        files = [str(self.copy.folder / name) for name in self.copy.files if name.endswith(_EXPECTATION_FILES)]
        found = self._run(files, {"agent": agent, "without": without})
        return replace(found, problem="") if found.problem == _NO_ITEMS else found

    def _run(self, subjects: Sequence[str], selected: dict[str, str]) -> SuiteRun:
        place = self.copy.entry / f"run-{next(self._numbers)}"
        place.mkdir()
        parent, held = os.pipe()
        wanted = {
            "result": str(place / "result.json"),
            "copy": str(self.copy.folder),
            "project": str(self.copy.top),
            "changed": self.changed,
            "parent": parent,
            **selected,
        }
        variables = {**self._variables(), copy_guard.VARIABLE: json.dumps(wanted)}
        try:
            ended = self._ended([*self._command(place), *subjects], variables, place, parent)
        finally:
            os.close(parent)
            os.close(held)
        return self._result(place, ended)

    def _command(self, place: Path) -> list[str]:
        # -P: pytest's own command does not put the folder that it is started in on the path either.
        return [
            *(sys.executable, "-P", "-m", "pytest", "-p", copy_guard.__name__),
            *map(self._in_copy_instead, self.suite.arguments),
            *(f"--rootdir={self.copy.place_of(self.suite.root)}", f"--basetemp={place / 'temporary'}"),
            *("--refinery", "--refinery-no-diagnose", "--maxfail=0", f"--junitxml={place / 'junit.xml'}"),
            # Each run is by itself: it takes no answer from a cassette, nor from the run before it.
            *("-o", f"refinery_cassettes={place / 'cassettes'}"),
            *(("-o", f"cache_dir={place / 'cache'}") if self.suite.has_cache else ()),
        ]

    def _in_copy_instead(self, argument: str) -> str:
        return argument.replace(str(self.copy.top), str(self.copy.folder))

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        variables |= self.suite.variables
        if options := variables.get(_OPTIONS):
            variables[_OPTIONS] = self._in_copy_instead(options)
        # Modules of the project are those of the copy, also where the project itself is installed.
        paths = [str(place) for place in map(self._in_copy, sys.path) if place]
        variables["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [variables.get("PYTHONPATH")])])
        # By its time and size a changed module may look like the one before it.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        return variables

    def _in_copy(self, path: str) -> Path | None:
        with suppress(NotPossible, OSError):
            place = self.copy.place_of(Path(path)) if path else None
            return place if place and place.exists() else None
        return None

    def _ended(self, command: list[str], variables: dict[str, str], place: Path, parent: int) -> str:
        """Run the command; return how it ended."""
        with (place / "output.txt").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  (what the user runs anyway)
                command,
                cwd=self.copy.place_of(self.suite.folder),
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(parent,),
            )
            try:
                return f"it ended with code {process.wait(self.suite.timeout)}"
            except subprocess.TimeoutExpired:
                return f"it did not end within {self.suite.timeout:g} seconds"
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    # All that the agent has started, too.
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @staticmethod
    def _result(place: Path, ended: str) -> SuiteRun:
        found: Any = shared_file.read_json(place / "result.json")
        try:
            records = tuple(map(ItemRecord.model_validate, found["records"]))
        except (TypeError, KeyError, ValidationError):
            said = (shared_file.read_text(place / "output.txt") or "").strip()
            return SuiteRun(problem=f"{ended}: {said[-_SAID_CHARACTERS:]}".removesuffix(": "))
        return SuiteRun(records, bool(found["is_read"]), tuple(found["read_in_project"]), "" if records else ended)
