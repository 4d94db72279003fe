"""What happens while a cassette is open: which requests are answered from it, which are added. No network, no file."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_refinery.cassettes import differences
from pytest_refinery.errors import CassetteMissError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_refinery.cassettes.cassette_file import RecordingMetadata
    from pytest_refinery.cassettes.interactions import Interaction, Request, Response
    from pytest_refinery.scrubbing.scrubber import Scrubber
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource


class Mode(StrEnum):
    """What becomes of requests, in VCR's words."""

    NONE = "none"
    """Each is answered from the cassette or is an error."""
    ONCE = "once"
    """As ``none`` where there is a cassette; else each is sent and recorded."""
    NEW_EPISODES = "new_episodes"
    """What is not in the cassette is sent and added."""
    ALL = "all"
    """Each is sent, and the cassette recorded again."""


class Tape:
    """An open cassette. Any thread may ask.

    Attributes:
        path: The file.
        about: What it was opened for: the id of an item.
        scrubber: What takes out of requests and answers what the cassette must not hold.
        asked: Grows with every request.
        metadata: Of a recording, for the head of the file.
        trial: Which of several trials of an agent is under way: equal requests of another have other answers.
        trouble: Why the file was not written at the end, in a sentence; ``""`` where nothing is wrong.
    """

    def __init__(
        self, path: Path, mode: Mode, *, about: str, old: Iterable[Interaction] | None, scrubber: Scrubber
    ) -> None:
        self.path = path
        self.mode = mode
        self.about = about
        self.scrubber = scrubber
        self.metadata: RecordingMetadata | None = None
        self.trial = 0
        self.trouble = ""
        self._exists = old is not None
        self._lock = threading.Lock()
        self._old = tuple(old or ()) if mode is not Mode.ALL else ()
        self._left: dict[str, deque[int]] = defaultdict(deque)
        for place, interaction in enumerate(self._old):
            self._left[interaction.request.key].append(place)
        self._played: set[int] = set()
        self._new: list[tuple[int, Interaction]] = []
        self.asked = 0
        self._misses: dict[str, CassetteMissError] = {}
        self._is_discarded = False

    @property
    def is_replaying(self) -> bool:
        """Whether each request is answered from the cassette or is an error."""
        return self.mode is Mode.NONE or (self.mode is Mode.ONCE and self._exists)

    @property
    def played(self) -> int:
        """How many requests were answered from the cassette."""
        return len(self._played)

    @property
    def recorded(self) -> int:
        """How many requests were sent and recorded."""
        return len(self._new)

    @property
    def unused(self) -> tuple[str, ...]:
        """What was recorded and not asked for, one line each."""
        with self._lock:
            return tuple(
                f"{each.request} (request {number} of the cassette)"
                for number, each in enumerate(self._old, start=1)
                if number - 1 not in self._played
            )

    @property
    def misses(self) -> tuple[CassetteMissError, ...]:
        """What was asked for and is not in the cassette, each once: libraries hide the error that they get."""
        with self._lock:
            return tuple(self._misses.values())

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What the cassette is to hold now: the old ones and the new ones in the order in which they were asked for."""
        with self._lock:
            return (*self._old, *(interaction for _, interaction in sorted(self._new, key=lambda new: new[0])))

    def discard(self) -> None:
        """Write nothing at the end: what was recorded is not whole."""
        self._is_discarded = True

    def refuse_environment(self) -> None:
        """Write nothing, because of the value of a variable: where that is another one, other requests are made."""
        if not self.is_replaying:
            self.discard()
            self.trouble = (
                f"The cassette {self.path} was not written: the trace holds the value of an environment variable that "
                f"is a secret. Keep it out of the trace, or have it removed: ini key refinery_scrub, hook "
                f"pytest_refinery_scrub."
            )

    @property
    def is_to_be_written(self) -> bool:
        """Whether something was recorded that is to be kept."""
        return bool(self._new) and not self._is_discarded

    def answer(self, request: Request) -> Response | None:
        """Return the recorded answer, ``None`` where the request is to be sent. Equal requests are answered in order.

        Raises:
            CassetteMissError: There is none, and nothing may be sent.
        """
        with self._lock:
            self.asked += 1
            left = self._left.get(request.key) if self._left else None
            if left:
                place = left.popleft()
                self._played.add(place)
                return self._old[place].response
            if not self.is_replaying:
                return None
            if request.key not in self._misses:
                self._misses[request.key] = self._miss(request)
            raise CassetteMissError(*self._misses[request.key].args)

    def order(self) -> int:
        """Return a number that is larger than any before."""
        with self._lock:
            self.asked += 1
            return self.asked

    def record(self, order: int, interaction: Interaction) -> None:
        """Add an answer to a request that began at ``order``."""
        with self._lock:
            self._new.append((order, interaction))

    def _miss(self, request: Request) -> CassetteMissError:
        return CassetteMissError(
            differences.explained(
                request,
                [each.request for each in self._old],
                about=self.about,
                path=self.path,
                exists=self._exists,
            )
        )


class RecordedTraces:
    """Takes out of a trace that comes through a cassette what the cassette will not hold.

    What is asked about a trace, and under what names, depends on all that is in it. A recording that has seen a secret
    asks what no replay will ask.
    """

    def __init__(self, source: TraceSource, tape: Tape) -> None:
        self._source = source
        self._tape = tape

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names, as its source does."""
        before = self._tape.asked
        trace = self._source.load(reference, base=base, project=project)
        return trace if self._tape.asked == before else self._tape.scrubber.trace(trace)
