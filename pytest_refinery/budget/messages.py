"""What the budget says to people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_refinery.budget import owners

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.budget.ledger import Entry, Status

# A service that asks for more may have made a mistake.
_LONG_CLOSURE = 60.0
_SHOWN = 8
# Above it, times are said in minutes.
_LONGEST_IN_SECONDS = 90.0


def waiting(tokens: int, seconds: float, status: Status) -> str:
    """Say why and how long a request waits."""
    return f"waiting {seconds:.0f} s for {tokens:,} tokens: {_reason(status)}"


def time_left(seconds: float, status: Status) -> str:
    """Say how long all that waits will take; nothing where the limit is only assumed."""
    if status.is_assumed:
        return ""
    return f"about {_rounded(seconds)} left at {status.limit_tokens:,} tokens per minute"


def _rounded(seconds: float) -> str:
    if seconds > _LONGEST_IN_SECONDS:
        return f"{seconds / 60:.0f} min"
    return f"{max(1, math.ceil(seconds / 10)) * 10} s"


def timed_out(tokens: int, seconds: float, status: Status) -> str:
    """Say why a request was not granted in time."""
    return (
        f"No room for {tokens:,} tokens within {seconds:.0f} s: {_reason(status)}. "
        "Allow more time (--refinery-max-wait), run fewer workers, or raise REFINERY_TPM if the account permits it."
    )


def too_large(tokens: int, limit: int) -> str:
    """Say why a request will not be sent, and what helps."""
    return (
        f"A request of {tokens:,} tokens can never pass a limit of {limit:,} tokens per minute, so it was not sent. "
        f"Make the groups smaller (--refinery-group-tokens, below {limit:,}), or raise REFINERY_TPM if the account "
        "permits it."
    )


def page(model: str, status: Status) -> str:
    """Return the ledger of a model as text for a terminal."""
    return "\n".join([f"budget    of {model}, shared by all processes of this account", *_page(status)]) + "\n"


def _page(status: Status) -> Iterator[str]:
    assumed = " (assumed until the service says)" if status.is_assumed else ""
    yield f"limit     {status.limit_tokens:,} tokens per minute{assumed}, {_requests(status)}; {status.algorithm}"
    yield f"used      {status.used_tokens:,} tokens, {_counted(status.used_requests, 'request')}, {_workers(status)}"
    if status.closed_for > 0:
        yield f"closed    {_closed(status)}"
    yield f"begun     {len(status.begun)} that go first"
    for work in status.begun:
        yield (
            f"  {work.remaining_tokens:>9,} tokens  to come {work.seconds:>7.1f} s  "
            f"{owners.process_id_of(work.owner)}, {work.kind} {_short(work.id)}"
        )
    yield f"queue     {len(status.waiting)} waiting"
    yield from _entries(status.waiting, "waits")
    under_way = [entry for entry in status.granted if entry.is_open]
    yield f"leases    {len(under_way)} under way, {len(status.granted) - len(under_way)} settled"
    yield from _entries(status.granted, "granted")


def _entries(entries: Iterable[Entry], what: str) -> Iterator[str]:
    for entry in entries:
        state = what if entry.is_open else "settled"
        owner = owners.process_id_of(entry.owner)
        purpose = f", {entry.kind} {_short(entry.work)}, {entry.stage}" if entry.kind else ""
        yield f"  {entry.tokens:>9,} tokens  {state:<8}{entry.seconds:>7.1f} s  {owner}{purpose}"


def _short(work: str) -> str:
    return work[:_SHOWN]


def _requests(status: Status) -> str:
    limit = status.limit_requests
    return "no limit of requests known" if limit is None else f"{limit:,} requests per minute"


def _reason(status: Status) -> str:
    used = f"{status.used_tokens:,} of {status.limit_tokens:,} used in the last minute by {_workers(status)}"
    if status.closed_for > 0:
        return f"{_closed(status)}; {used}"
    return used


def _closed(status: Status) -> str:
    asked = f"the service asked everybody to wait, {status.closed_for:.1f} s more"
    if status.closed_for <= _LONG_CLOSURE:
        return asked
    return f"{asked} (then it is asked again; 'pytest-refinery budget --reset' ends the wait now)"


def _workers(status: Status) -> str:
    return _counted(status.workers, "worker")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
