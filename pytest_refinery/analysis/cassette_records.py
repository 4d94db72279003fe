"""What came of the cassettes of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class CassetteRecord(Frozen):
    """What came of the cassette of one item.

    Attributes:
        path: The file, as the user is shown it.
        played: Requests that were answered from it.
        recorded: Requests that were sent and recorded.
        unused: Recorded requests that the item did not make, one line each.
        trouble: Why what was recorded was not written, ``""`` where it was.
    """

    nodeid: str
    path: str
    played: int
    recorded: int
    unused: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def is_replayed(self) -> bool:
        """Whether nothing was sent: all answers came from the cassette."""
        return self.played > 0 and not self.recorded


def headline(records: Iterable[CassetteRecord]) -> str:
    """Return one line about all of them, ``""`` where none was used."""
    found = list(records)
    counts = {
        "replayed at no cost": sum(each.is_replayed for each in found),
        "recorded": sum(each.recorded > 0 and not each.trouble for each in found),
        "not written": sum(bool(each.trouble) for each in found),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def problems(records: Iterable[CassetteRecord]) -> Iterator[str]:
    """Yield a sentence for each cassette that was not written, or not used up."""
    for each in sorted(records, key=lambda record: record.nodeid):
        if each.trouble:
            yield each.trouble
        if each.unused:
            yield f"{each.nodeid} did not ask for everything that is in {each.path}: {'; '.join(each.unused)}"
