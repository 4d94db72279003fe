"""The cassette of an item: which one, in what mode, from when until when, and what came of it."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import traceback
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_refinery.analysis import cassette_records
from pytest_refinery.analysis.cassette_records import CassetteRecord
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import CassetteError, Undecided
from pytest_refinery.integration.item_records import (
    ENDS_THE_RUN,
    SOURCE,
    record_of,
    stable_nodeid,
    store_cassette_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_refinery.cassettes.network_block import NetworkBlock
    from pytest_refinery.cassettes.tape import Tape
    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 100
_TOP_OF_A_PROJECT = ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", ".git")


@dataclass(frozen=True)
class OpenCassette:
    """The cassette of an item while it is open.

    Attributes:
        services: Who loads the item's traces and answers its questions meanwhile.
        block: Of the network, where the item has none.
    """

    tape: Tape
    services: Services
    block: NetworkBlock | None

    @property
    def faults(self) -> tuple[str, ...]:
        """What was asked and is not in the cassette, or wanted to reach the network; a sentence each."""
        violations = self.block.violations if self.block else ()
        return (*map(str, self.tape.misses), *violations)


class ItemCassette:
    """Opens the cassettes of a process, one at a time.

    Attributes:
        lost: Why a recording was not written that the last item had to break off, ``""`` where none was.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.lost = ""
        self._open: OpenCassette | None = None
        self._item: pytest.Item | None = None
        self._discarded = ""
        self._config = config
        self._settings = settings
        self._closing = ExitStack()

    def path_of(self, item: pytest.Item) -> Path:
        """Return the cassette of an item, whether there is one or not."""
        default = self._default(item)
        chosen: Path | None = item.ihook.pytest_refinery_cassette(item=item, default=default)
        return default if chosen is None else self._config.rootpath / chosen

    def _default(self, item: pytest.Item) -> Path:
        file, _, name = stable_nodeid(item).partition("::")
        if self._config.inipath is not None:
            return self._below(self._config.rootpath, PurePosixPath(file), name)
        # Without an ini file pytest's root depends on the working directory and on what is asked for.
        places = {folder: item.path.relative_to(folder).as_posix() for folder in item.path.parents}
        found = {folder: self._below(folder, PurePosixPath(place), name) for folder, place in places.items()}
        recorded = next((path for path in found.values() if path.exists()), None)
        return recorded or found[_root_of(item.path, self._settings.cassettes)]

    def _below(self, root: Path, file: PurePosixPath, name: str) -> Path:
        # Files outside of the suite's root have their cassettes below it too.
        parts = ["_" if part in {"..", "/", "//"} else part.replace(":", "_") for part in file.parts]
        return _file_for(name, (root / self._settings.cassettes).joinpath(*parts))

    def is_in_use(self, item: pytest.Item) -> bool:
        """Tell whether an item records or replays."""
        return self._mode(self.path_of(item)) is not None

    def _mode(self, path: Path) -> str | None:
        wanted = self._settings.record
        if wanted != "none" and (wanted == "auto" or self._settings.plan):
            return "none" if path.exists() else None
        return wanted

    def begin(self, item: pytest.Item, services: Services) -> None:
        """Open the cassette of an item, if it has one and it is not open yet; it is closed when the item ends.

        Raises:
            CassetteError: It cannot be used.
        """
        if self._open is not None:
            return
        self._item = item
        path = self.path_of(item)
        mode = self._mode(path)
        if mode is None:
            return
        # Before fixtures that others share are ended, and after the item's own, whatever comes in between.
        item.addfinalizer(partial(self._end, item))
        scrub = partial(_scrubbed, item)
        with ExitStack() as stack:
            tape = stack.enter_context(services.open_cassette(path, mode, about=stable_nodeid(item), callables=[scrub]))
            is_offline = self._settings.record == "none"
            block = stack.enter_context(services.offline(about=stable_nodeid(item))) if is_offline else None
            self._open = OpenCassette(tape, services.while_open(tape), block)
            self._closing = stack.pop_all()

    @property
    def services(self) -> Services | None:
        """Who answers while a cassette is open, ``None`` where none is."""
        return self._open.services if self._open else None

    def set_trial(self, number: int) -> None:
        """Keep the requests of one trial of an agent apart from those of others; 0 for what belongs to none."""
        if self._open is not None:
            self._open.tape.trial = number

    @property
    def faults(self) -> tuple[str, ...]:
        """What the open cassette could not answer; a sentence each, with paths below the suite's root."""
        root = f"{self._config.rootpath}{os.sep}"
        return tuple(fault.replace(root, "") for fault in self._open.faults) if self._open else ()

    def discard(self, why: str) -> None:
        """Write nothing of what is being recorded, because of ``why``."""
        if self._open is not None:
            self._open.tape.discard()
            self._discarded = why
            self.lost = self._trouble(self._open.tape)

    def _end(self, item: pytest.Item) -> None:
        ended, self._open = self._open, None
        self._closing.close()
        if ended is None:
            return
        del item.stash[SOURCE]
        unused = ended.tape.unused if _is_whole(item) and not ended.faults else ()
        record = CassetteRecord(
            nodeid=stable_nodeid(item),
            path=self._shown(ended.tape.path),
            played=ended.tape.played,
            recorded=ended.tape.recorded,
            unused=unused,
            trouble=ended.tape.trouble or self._trouble(ended.tape),
        )
        self._discarded = ""
        store_cassette_record(item, record)
        if unused and self._settings.strict_cassettes:
            problem = next(cassette_records.problems([record]))
            msg = f"{problem}. Record it again, or leave --refinery-strict-cassettes away."
            raise CassetteError(msg)

    def _trouble(self, tape: Tape) -> str:
        if not self._discarded or not tape.recorded:
            return ""
        return f"The cassette {self._shown(tape.path)} was not written: {self._discarded}. What was there stays."

    def _shown(self, path: Path) -> str:
        root = self._config.rootpath
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    @contextmanager
    def undecided_on_miss(self) -> Iterator[None]:
        """Let what happens inside be undecided where the recording does not cover it: its outcome means nothing.

        Libraries and agents pass over such errors, or wrap them in their own.

        Raises:
            Undecided: Something was asked that is not in the cassette, or wanted to reach the network.
        """
        try:
            yield
        except ENDS_THE_RUN:
            raise
        except BaseException as error:
            self._refuse(error)
            raise
        self._refuse(None)

    def _refuse(self, error: BaseException | None) -> None:
        if self.faults:
            place = _place(error, self._config.rootpath)
            raise Undecided(f"{place}: {self.faults[0]}" if place else self.faults[0]) from error

    def filled(self, sentence: str, **words: str) -> str:
        """Return a sentence about the item at hand, with its ``{cassette}`` and the ``{command}`` that records it."""
        item = self._item
        if item is None:
            return sentence
        command = f"pytest --refinery --refinery-record=all {shlex.quote(stable_nodeid(item))}"
        return sentence.format(cassette=self._shown(self.path_of(item)), command=command, **words)


def _root_of(file: Path, cassettes: str) -> Path:
    """Return the folder that a file's cassettes stand below, found from the file alone."""
    nearest = (folder for folder in file.parents if (folder / cassettes).is_dir())
    top = (folder for folder in file.parents if any((folder / name).exists() for name in _TOP_OF_A_PROJECT))
    return next(nearest, None) or next(top, file.parent)


def _is_whole(item: pytest.Item) -> bool:
    """Tell whether an item has come to all that it would ask: what it did not come to is not unused."""
    record = record_of(item)
    if record.diagnosis is not None:
        return record.diagnosis.partial is None
    return record.outcome is Outcome.PASSED


def _place(error: BaseException | None, root: Path) -> str:
    """Return the last line of the suite's own files on the way to an error, ``""`` where there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__ if error else None)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            return f"{path.relative_to(root)}:{frame.lineno}"
    return ""


def _file_for(name: str, folder: Path) -> Path:
    """Return the cassette of an item's id, no two items of a file the same."""
    # Python tests in classes; ids of expectations may have dots, and no colons.
    words = name if "." in name else name.replace("::", ".")
    plain = _NOT_IN_NAMES.sub("-", words)
    hashed = folder / f"{plain[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.yaml"
    # With .yaml behind it, a name in .refinery would be an expectation file.
    if plain != words or len(plain) > _LONGEST_NAME or plain.endswith(".refinery"):
        return hashed
    wanted = f"{plain}.yaml"
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    # On macOS and Windows, two names that differ only in case are one file.
    is_taken = wanted not in found and wanted.casefold() in map(str.casefold, found)
    return hashed if is_taken or hashed.name in found else folder / wanted


def _scrubbed(item: pytest.Item, text: str) -> str | None:
    """Let each hook take out of a text what no cassette may hold."""
    for implementation in item.ihook.pytest_refinery_scrub.get_hookimpls():
        found = implementation.function(text=text)
        text = text if found is None else str(found)
    return text
