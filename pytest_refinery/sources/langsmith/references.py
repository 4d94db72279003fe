"""What users write to name a trace of LangSmith: an id, an address of its pages, or a public share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from urllib.parse import SplitResult

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WHOLE_ID = re.compile(_ID, re.IGNORECASE)
# In a query an id may follow a time: "20260609T021546383895Za928aa6f-...".
_LAST_ID = re.compile(rf"(?:^|Z)({_ID})$", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# As the pages of LangSmith write them: a run opened beside a list of runs is only "peeked" at.
_TRACE_KEYS, _RUN_KEYS = ("trace_id", "peeked_trace"), ("run_id", "peek")
_WHAT_A_URL_IS = (
    "Open the run in LangSmith and copy the address of its page (https://.../projects/p/<project>/r/<run>), "
    "or its public link (https://.../public/<token>/r)."
)


@dataclass(frozen=True)
class RunReference:
    """A run, and what the user's words say about where it is.

    Attributes:
        run_id: Of any run of the trace.
        trace_id: Of its root, where the address has it.
        project_id: Where the address has it.
        host: Of the page, where it was an address: ``smith.langchain.com``.
    """

    run_id: str
    trace_id: str | None = None
    project_id: str | None = None
    host: str | None = None

    def __str__(self) -> str:
        return f"LangSmith trace {self.trace_id or self.run_id}"


@dataclass(frozen=True)
class SharedReference:
    """A trace that its owner has shared: anybody with the token may read it, so nothing shows it."""

    token: str = field(repr=False)
    host: str

    def __str__(self) -> str:
        return f"LangSmith shared trace {self.token[:8]}..."


Reference: TypeAlias = RunReference | SharedReference


def read_reference(reference: str) -> Reference | None:
    """Return what ``reference`` names in LangSmith, or ``None`` where it can only be a file.

    Raises:
        TraceError: It is an address, but not one of a run.
    """
    written = reference.strip()
    if _WHOLE_ID.fullmatch(written):
        return RunReference(written.lower())
    return _read_url(written) if _URL.match(written) else None


def id_in_path(reference: str) -> str | None:
    """Return the id at the end of a path without an ending, as in ``runs/<id>``."""
    folder, _, name = reference.strip().replace("\\", "/").rpartition("/")
    return name.lower() if folder and _WHOLE_ID.fullmatch(name) else None


def _read_url(written: str) -> Reference:
    try:
        url = urlsplit(written)
        found = _found(url) if url.scheme.lower() in {"http", "https"} and url.hostname else None
    except ValueError:
        # Not even an address: "https://[half".
        found = None
    if found is None:
        # Without its query, which may hold a signature, and without a password before the host.
        shown = written.partition("?")[0].rpartition("@")[2]
        msg = f"{shown}: not the address of a run in LangSmith. {_WHAT_A_URL_IS}"
        raise TraceError(msg)
    return found


def _found(url: SplitResult) -> Reference | None:
    parts = [part for part in url.path.split("/") if part]
    host = str(url.hostname)
    token = _id_after(parts, "public")
    if token:
        return SharedReference(token, host)
    query = parse_qs(url.query)
    trace_id = _id_in(query, _TRACE_KEYS)
    run_id = _id_after(parts, "r") or _id_in(query, _RUN_KEYS) or trace_id
    if run_id is None or "projects" not in parts:
        return None
    return RunReference(run_id, trace_id, _id_after(parts, "p"), host)


def _id_after(parts: Sequence[str], word: str) -> str | None:
    follows = (after for before, after in pairwise(parts) if before == word)
    return next((part.lower() for part in follows if _WHOLE_ID.fullmatch(part)), None)


def _id_in(query: Mapping[str, Sequence[str]], keys: Sequence[str]) -> str | None:
    values = (value for key in keys for value in query.get(key, ()))
    return next((found[1].lower() for value in values if (found := _LAST_ID.search(value))), None)
