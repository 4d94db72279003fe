"""The service without HTTP: which request goes where, what is checked first, what may go wrong."""

from __future__ import annotations

import base64
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from tests.langsmith_server import shapes
from tests.langsmith_server.faults import Faults
from tests.langsmith_server.limits import Gate
from tests.langsmith_server.messages import Answer, Exchange, JsonObject, Request, ServiceError
from tests.langsmith_server.specification import specification
from tests.langsmith_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.langsmith_server.terms import Terms

_MOST_IN_PAGE = 100
_PUBLIC_FIELDS = (
    "inputs outputs start_time end_time error extra tags serialized parent_run_id child_run_ids "
    "prompt_tokens completion_tokens total_tokens"
).split()


class Route(NamedTuple):
    """A kind of request; ``path`` is a pattern whose groups are given to ``answer``."""

    method: str
    path: str
    answer: Callable[..., object]


class App:
    """The service; may be called from any thread."""

    def __init__(self, terms: Terms, address: Callable[[], str]) -> None:
        self._terms = terms
        self._address = address
        self._lock = threading.Lock()
        self._gate = Gate(terms.clock)
        self.store = Store()
        self.faults = Faults()
        self.log: list[Exchange] = []

    def answer(self, request: Request) -> Answer:
        """Answer a request, and write both down."""
        if self._terms.latency_seconds:
            time.sleep(self._terms.latency_seconds)
        try:
            with self._lock:
                fault = self.faults.befalling(request)
                answer = fault.act(request, self._handle) if fault else self._handle(request)
        except ServiceError as error:
            answer = error.answer(is_v2=request.is_v2)
        except Exception as error:  # noqa: BLE001  (a mistake in here has to be seen by the test)
            answer = Answer({"detail": f"The test's own server failed: {error!r}"}, 418)
        self.log.append(Exchange(request, answer, self._terms.clock()))
        return answer

    def _handle(self, request: Request) -> Answer:
        for route in self._offered():
            parts = re.fullmatch(route.path, request.path)
            if parts and route.method == request.method:
                self._admit(request)
                found = route.answer(request, *parts.groups())
                return found if isinstance(found, Answer) else Answer(found)
        # As FastAPI answers where there is no route, whatever the version.
        return ServiceError(404, "Not Found").answer(is_v2=False)

    def _admit(self, request: Request) -> None:
        if not request.path.startswith("/api/"):
            return
        is_open = "/public/" in request.path or request.path.endswith("/info")
        if not is_open and request.key != self._terms.key:
            raise ServiceError(401, "Invalid token")
        if self._terms.has_limits:
            self._gate.admit(request)
        official = specification()
        problem = official.problem_of_request(request) if official else None
        if problem:
            raise ServiceError(422, problem)

    def _offered(self) -> list[Route]:
        both = [
            Route("GET", "/api/v1/info", lambda _: {"version": "0.16.3" if self._terms.has_v2 else "0.12.1"}),
            Route("GET", "/api/v1/sessions", lambda request: self.store.sessions(request.query)),
            Route("GET", "/blobs/([^/]+)", self._blob),
        ]
        v1 = [
            Route("POST", "/api/v1/runs/query", self._query_v1),
            Route("GET", "/api/v1/runs/([^/]+)", self._run_v1),
            Route("POST", "/api/v1/public/([^/]+)/runs/query", self._query_public),
        ]
        v2 = [
            Route("GET", "/api/v2/traces/([^/]+)/runs", self._trace_v2),
            Route("POST", "/api/v2/runs/query", self._query_v2),
        ]
        return both + (v1 if self._terms.has_v1 else []) + (v2 if self._terms.has_v2 else [])

    def _blob(self, _: Request, name: str) -> Answer:
        if name not in self.store.blobs:
            raise ServiceError(404, "NoSuchKey")
        return Answer(self.store.blobs[name])

    def _query_v1(self, request: Request) -> object:
        body = request.body
        if not any(body.get(name) for name in ("session", "id", "parent_run", "trace", "reference_example")):
            raise ServiceError(400, "At least one of 'session', 'id', 'parent_run', 'trace' must be specified")
        found = self.store.runs(projects=body.get("session") or (), trace=body.get("trace"), ids=body.get("id") or ())
        if body.get("order", "desc") == "desc":
            found.reverse()
        return self._page(found, body, body.get("limit", _MOST_IN_PAGE), body.get("select") or ())

    def _run_v1(self, _: Request, run_id: str) -> object:
        found = self.store.runs(ids=[run_id])
        if not found:
            raise ServiceError(404, "Run not found")
        return self._shown(found[0], ("inputs", "outputs", "session_id", "start_time"))

    def _query_public(self, request: Request, token: str) -> object:
        if token not in self.store.shares:
            raise ServiceError(404, "Share token not found")
        trace_id, ids = self.store.shares[token], request.body.get("id") or ()
        if self._terms.shares_root_only and not ids:
            ids = [trace_id]
        found = self.store.runs(trace=trace_id, ids=ids)
        fields = _PUBLIC_FIELDS
        if self._terms.shares_root_only:
            others = [run["id"] for run in self.store.runs(trace=trace_id) if run["id"] != trace_id]
            found = [run | {"child_run_ids": others if run["id"] == trace_id else []} for run in found]
        return self._page(found, request.body, _MOST_IN_PAGE, fields, is_public=True)

    def _page(
        self, runs: list[Any], body: JsonObject, size: int, fields: Sequence[str], *, is_public: bool = False
    ) -> JsonObject:
        start = int(base64.b64decode(body["cursor"])) if body.get("cursor") else 0
        end = start + size
        following = base64.b64encode(str(end).encode()).decode() if end < len(runs) else None
        page = [self._shown(run, fields, is_public=is_public) for run in runs[start:end]]
        return {"runs": page, "cursors": {"next": following}}

    def _shown(self, run: Any, fields: Sequence[str], *, is_public: bool = False) -> JsonObject:  # noqa: ANN401
        return shapes.v1(run, fields, self._stored_apart, is_public=is_public)

    def _stored_apart(self, run: Any, side: str) -> str:  # noqa: ANN401  (a record)
        return f"{self._address()}{self.store.keep_apart(run, side)}?X-Amz-Signature=0123456789abcdef"

    def _trace_v2(self, request: Request, trace_id: str) -> object:
        found = self._in_project_v2(request.one("project_id"), trace=_checked(trace_id))
        window = request.one("min_start_time"), request.one("max_start_time")
        return {"items": _within(found, window, request.query.get("selects", ()))}

    def _query_v2(self, request: Request) -> object:
        body = request.body
        found = self._in_project_v2(*body.get("project_ids") or (None,), trace=body.get("trace_id"))
        wanted = [run for run in found if run["id"] in (body.get("ids") or [run["id"]])]
        # Nobody says so: without a window only the last day is looked at.
        window = body.get("min_start_time", "9999"), body.get("max_start_time")
        return {"items": _within(wanted, window, body.get("selects") or ()), "has_more": False}

    def _in_project_v2(self, project: str | None, *, trace: str | None) -> list[Any]:
        if project is None:
            raise ServiceError(400, "project_id is required")
        if not any(each.project_id == project for each in self.store.traces):
            raise ServiceError(404, "session not found")
        return self.store.runs(projects=[project], trace=trace)


def _checked(run_id: str) -> str:
    try:
        return str(UUID(run_id))
    except ValueError as error:
        raise ServiceError(422, "invalid UUID") from error


def _within(runs: list[Any], window: tuple[str | None, str | None], fields: Sequence[str]) -> list[JsonObject]:
    first, last = window[0] or "", window[1] or "9999"
    by_id = {run["id"]: run for run in runs}
    shown = (run for run in runs if first <= run["start_time"] <= last)
    return [shapes.v2(run, fields, shapes.ancestors_of(run, by_id)) for run in shown]
