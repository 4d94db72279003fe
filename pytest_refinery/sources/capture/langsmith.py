"""Keeps in this process what LangSmith's tracing would send: ``@traceable``, LangChain, LangGraph, the wrappers.

Their runs are read from the bodies of the requests that the client makes of them, so they are what an export
would have. While a capture is active, no client sends any.
"""

from __future__ import annotations

import inspect
import json
import warnings
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import langsmith
from langsmith import run_helpers, run_trees
from langsmith._internal import _context

from pytest_refinery.sources.capture.ref_counted import RefCountedContext
from pytest_refinery.sources.formats import Records
from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_refinery.traces.model import Run
    from pytest_refinery.traces.nesting import Nesting

_WRITES = ("create_run", "update_run", "create_feedback")
_MASKS = ("hide_inputs", "hide_outputs", "hide_metadata", "anonymizer")
_SERVER = ("api_url", "api_key")
# As far as the installed version knows them: no thread that sends, no question of the server, all of each trace.
_SENDING_NOTHING: dict[str, Any] = {
    "auto_batch_tracing": False,
    "info": {},
    "omit_traced_runtime_info": True,
    "otel_enabled": False,
    "tracing_mode": "langsmith",
    "tracing_sampling_rate": 1.0,
}
_here: ContextVar[LangSmithTracing | None] = ContextVar("refinery_langsmith_tracing", default=None)


class LangSmithTracing:
    """Captures the runs of one call of an agent."""

    name = "LangSmith"

    def __init__(self) -> None:
        self._nesting: Nesting | None = None
        self._records = Records("the agent's LangSmith tracing")
        self._known: set[int] = set()

    @contextmanager
    def active(self, nesting: Nesting) -> Iterator[None]:
        """Capture what runs in a block; see ``traces.capture.TraceCapture``."""
        self._nesting = nesting
        nesting.add_way(self.name, _innermost)
        client = _keeping(run_helpers.get_tracing_context()["client"] or getattr(run_trees, "_CLIENT", None))
        token = _here.set(self)
        try:
            with (
                _CAPTURES.hold(self),
                # What surrounds the agent is no part of its trace; replicas would be second copies of it.
                run_helpers.tracing_context(parent=False, enabled=True, client=client, replicas=[]),
            ):
                yield
        finally:
            _here.reset(token)

    def take(self, body: bytes) -> None:
        """Take note of the body of a request that begins or ends a run; of those to several servers, once."""
        if hash(body) in self._known:
            return
        self._known.add(hash(body))
        record = {key: json_values.plain(value) for key, value in json.loads(body).items()}
        if self._nesting is not None:
            parent_id = record.get("parent_run_id")
            self._nesting.started(str(record["id"]), way=self.name, parent_id=str(parent_id) if parent_id else None)
        self._records.take(record)

    def captured(self) -> tuple[Sequence[Run], Sequence[str]]:
        """Return the runs, and what could not be mapped."""
        runs, _ = self._records.runs()
        return runs, ()


def _innermost() -> str | None:
    run = run_helpers.get_current_run_tree()
    return str(run.id) if run is not None else None


class _Keeping(langsmith.Client):
    """A client that sends no runs and no feedback; everything else that an agent asks of it, it does."""

    def request_with_retries(self, /, method: Any, pathname: str, **kwargs: Any) -> Any:  # noqa: ANN401  (the base's)
        path = urlsplit(pathname).path
        if not _is_write(method, path):
            return super().request_with_retries(method, pathname, **kwargs)
        capture = _here.get() or _CAPTURES.last
        if capture is not None and "/runs" in path:
            capture.take(kwargs["request_kwargs"]["data"])
        return None


def _is_write(method: str, path: str) -> bool:
    return path.endswith(("/runs", "/feedback")) if method == "POST" else method == "PATCH" and "/runs/" in path


_kept: WeakKeyDictionary[langsmith.Client, _Keeping] = WeakKeyDictionary()
_of_environment: list[_Keeping] = []


def _keeping(client: langsmith.Client | None) -> _Keeping:
    """Return the client that keeps what ``client`` would send, without what that one hides."""
    if isinstance(client, _Keeping):
        return client
    if client is None:
        if not _of_environment:
            _of_environment.append(_new({}))
        return _of_environment[0]
    if client not in _kept:
        masks = {name: getattr(client, f"_{name}", None) for name in _MASKS}
        _kept[client] = _new(masks | {name: getattr(client, name, None) for name in _SERVER})
    return _kept[client]


def _new(own: dict[str, Any]) -> _Keeping:
    known = inspect.signature(langsmith.Client).parameters
    wanted = {name: value for name, value in (_SENDING_NOTHING | own).items() if name in known}
    with warnings.catch_warnings():
        # It warns of what matters only to those who send: a missing key.
        warnings.simplefilter("ignore")
        return _Keeping(**wanted)


def _redirected(write: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(write)
    def redirected(client: langsmith.Client, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (the client's own)
        return write(_keeping(client), *args, **kwargs)

    return redirected


@contextmanager
def _kept_here() -> Iterator[None]:
    """Have every client keep what it would send, and threads without a context trace too."""
    with ExitStack() as stack:
        for name in _WRITES:
            write = getattr(langsmith.Client, name)
            stack.enter_context(patch.object(langsmith.Client, name, _redirected(write)))
        stack.enter_context(patch.object(run_trees, "_CLIENT", _keeping(getattr(run_trees, "_CLIENT", None))))
        stack.enter_context(patch.object(_context, "_GLOBAL_TRACING_ENABLED", new=True))
        yield


_CAPTURES: RefCountedContext[LangSmithTracing] = RefCountedContext(_kept_here)
