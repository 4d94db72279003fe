"""The runs of one trace, from either version of LangSmith's API.

v2 gives a trace in one answer; self-hosted backends older than 0.16 only know v1, which gives pages of 100.
Public shares are read through v1: v2 gives no inputs and outputs of them but one run at a time.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_refinery.errors import TraceError, did_you_mean
from pytest_refinery.sources.formats import is_pending
from pytest_refinery.sources.langsmith import payloads
from pytest_refinery.sources.langsmith.client import OTHER, V1_QUERY, V2, Refused
from pytest_refinery.traces.json_values import mapping, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_refinery.sources.langsmith.client import Service
    from pytest_refinery.sources.langsmith.payloads import Record
    from pytest_refinery.sources.langsmith.references import RunReference, SharedReference

# v2 gives the id alone unless it is told what else.
_V2_FIELDS = (
    "ID NAME RUN_TYPE STATUS START_TIME END_TIME ERROR EXTRA METADATA INPUTS OUTPUTS MANIFEST PARENT_RUN_IDS "
    "PROJECT_ID TRACE_ID DOTTED_ORDER TAGS PROMPT_TOKENS COMPLETION_TOKENS TOTAL_TOKENS"
).split()
_V1_FIELDS = (
    "id name run_type status start_time end_time error extra inputs outputs inputs_s3_urls outputs_s3_urls serialized "
    "parent_run_id session_id trace_id dotted_order tags prompt_tokens completion_tokens total_tokens"
).split()
_NOT_SHARED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)
# All times: the id says which trace it is, v2 looks at the last day alone unless it is told otherwise, and a window
# that moves with the clock would ask something else each time.
_WINDOW = {"min_start_time": "2000-01-01T00:00:00Z", "max_start_time": "2100-01-01T00:00:00Z"}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# The documentation: a trace keeps at most 25,000 runs.
MOST_RUNS = 25_000
PAGE = 100
# Its runs, and where to go on.
Page = dict[str, Any]


class Parts(Protocol):
    """Keeps what an attempt has fetched for the next one, should it end early."""

    def part(self, name: str, fetch: Callable[[], Page], *, is_final: Callable[[Page], bool]) -> Page:
        """Return a part that is kept, else what ``fetch`` returns, and keep it where it ``is_final``."""
        ...


class Pages:
    """Reads all pages of an answer, and what is stored apart from their runs while its addresses are good."""

    def __init__(self, service: Service, parts: Parts) -> None:
        self._service = service
        self._parts = parts

    def records(self, path: str, body: Mapping[str, Any]) -> list[Record]:
        """Return the records of all pages, or of as many as no trace can have.

        Raises:
            TraceError: A page cannot be read.
        """
        records: list[Record] = []
        cursor: str | None = None
        while len(records) <= MOST_RUNS:
            page = self._page(path, {**body, "cursor": cursor} if cursor else body)
            records += page["runs"]
            cursor = page["next"]
            if not page["runs"] or not cursor:
                break
        return records

    def _page(self, path: str, body: Mapping[str, Any]) -> Page:
        def fetch() -> Page:
            answer = mapping(self._service.post(path, body, lane=V1_QUERY))
            runs = objects(answer.get("runs"))
            payloads.fill_in(runs, self._service)
            return {"runs": runs, "next": mapping(answer.get("cursors")).get("next")}

        name = json.dumps([self._service.endpoint, path, body])
        return self._parts.part(name, fetch, is_final=_is_final)


def _is_final(page: Page) -> bool:
    """Tell whether a page stays as it is: more runs may yet come to the last one."""
    return bool(page["next"]) and not any(is_pending(record) for record in page["runs"])


class _Place(NamedTuple):
    """Where to look: ``name`` is what the user called the project."""

    project_id: str | None
    name: str
    trace_id: str | None


class Runs:
    """Reads traces through a service; what it learns about the backend and its projects, it keeps.

    Args:
        project: The name or id of the project to look in where no one says another.
    """

    def __init__(self, service: Service, *, project: str | None = None) -> None:
        self._service = service
        self._project = project
        self._project_ids: dict[str, str] = {}
        self._has_v2 = True

    def of_trace(self, reference: RunReference, parts: Parts, *, project: str | None = None) -> list[Record]:
        """Return the records of all runs of a trace.

        Args:
            reference: Of any run of it.
            parts: Keeps the pages of an attempt that ends early.
            project: The name or id of its project, where the user says one.

        Raises:
            TraceError: There is no such trace there, or it cannot be read.
        """
        place = self._place(reference, project)
        if place.project_id and self._has_v2:
            try:
                return self._from_v2(reference, place, place.project_id)
            except Refused as error:
                if not error.is_unknown_path:
                    self._explain(error, reference, place)
                    raise
                self._has_v2 = False
        return self._from_v1(reference, place, Pages(self._service, parts))

    def of_share(self, reference: SharedReference, parts: Parts) -> list[Record]:
        """Return the records of a trace that its owner has shared with everybody.

        Raises:
            TraceError: It is no longer shared, or cannot be read.
        """
        path = f"/api/v1/public/{reference.token}/runs/query"
        pages = Pages(self._service, parts)
        try:
            records = pages.records(path, {})
            # Older backends answer with the shared run alone, which names the others.
            known = {record.get("id") for record in records}
            others = [run_id for record in records for run_id in record.get("child_run_ids") or ()]
            missing = [run_id for run_id in dict.fromkeys(others) if run_id not in known]
            for start in range(0, len(missing), PAGE):
                records += pages.records(path, {"id": missing[start : start + PAGE]})
        except Refused as error:
            if error.status not in _NOT_SHARED:
                raise
            records = []
        if not records:
            msg = f"{self._service.host} has nothing shared under this address: it is wrong, or no longer shared."
            raise TraceError(msg)
        return records

    def _place(self, reference: RunReference, project: str | None) -> _Place:
        name = project or self._project
        if reference.project_id:
            return _Place(reference.project_id, f"project {reference.project_id}", reference.trace_id)
        if name:
            project_id = name if _ID.fullmatch(name) else self._project_id(name)
            return _Place(project_id, f"project {name!r}", reference.trace_id)
        return self._located(reference)

    def _located(self, reference: RunReference) -> _Place:
        """Ask v1, which looks in all projects, where a run is."""
        try:
            found = self._find_v1(reference.run_id, None)
        except Refused as error:
            if not error.is_unknown_path or error.status == HTTPStatus.OK:
                raise
            msg = (
                f"{self._service.host} wants to know the project of the trace: write project: beside trace:, "
                "set LANGSMITH_PROJECT, or use the address of the run's page."
            )
            raise TraceError(msg) from error
        place = _Place(found.get("session_id"), "any project of the workspace", found.get("trace_id"))
        if not place.trace_id:
            raise self._not_found(reference, place)
        return place

    def _project_id(self, name: str) -> str:
        if name not in self._project_ids:
            found = objects(self._service.get("/api/v1/sessions", [("name", name), ("limit", "1")], lane=OTHER))
            if not found:
                raise self._no_project(name)
            self._project_ids[name] = str(found[0].get("id"))
        return self._project_ids[name]

    def _no_project(self, name: str) -> TraceError:
        others = objects(self._service.get("/api/v1/sessions", [("limit", str(PAGE))], lane=OTHER))
        hint = did_you_mean(name, [str(each.get("name")) for each in others])
        return TraceError(
            f"There is no project {name!r} in this workspace of {self._service.host}.{hint} Correct project: or "
            "LANGSMITH_PROJECT, or set LANGSMITH_WORKSPACE_ID if the project is in another workspace."
        )

    def _from_v2(self, reference: RunReference, place: _Place, project_id: str) -> list[Record]:
        trace_id = place.trace_id or reference.run_id
        records = self._trace_v2(trace_id, project_id)
        if not records and not place.trace_id:
            root = self._find_v2(reference.run_id, project_id).get("trace_id")
            records = self._trace_v2(str(root), project_id) if root else []
        if not records:
            raise self._not_found(reference, place)
        payloads.fill_in(records, self._service)
        return records

    def _trace_v2(self, trace_id: str, project_id: str) -> list[Record]:
        query = [("project_id", project_id), *_WINDOW.items(), *(("selects", field) for field in _V2_FIELDS)]
        answer = self._service.get(f"/api/v2/traces/{trace_id}/runs", query, lane=V2)
        return objects(mapping(answer).get("items"))

    def _find_v2(self, run_id: str, project_id: str) -> Record:
        body = {"ids": [run_id], "project_ids": [project_id], "selects": ["ID", "TRACE_ID"], "page_size": 1}
        answer = self._service.post("/api/v2/runs/query", body | _WINDOW, lane=V2)
        return next(iter(objects(mapping(answer).get("items"))), {})

    def _from_v1(self, reference: RunReference, place: _Place, pages: Pages) -> list[Record]:
        records = _trace_v1(pages, place.trace_id or reference.run_id, place.project_id)
        if not records and not place.trace_id:
            root = self._find_v1(reference.run_id, place.project_id).get("trace_id")
            records = _trace_v1(pages, str(root), place.project_id) if root else []
        if not records:
            raise self._not_found(reference, place)
        return records

    def _find_v1(self, run_id: str, project_id: str | None) -> Record:
        body = {"id": [run_id], "select": ["id", "trace_id", "session_id"], "limit": 1}
        answer = self._service.post("/api/v1/runs/query", body | _in_project(project_id), lane=V1_QUERY)
        return next(iter(objects(mapping(answer).get("runs"))), {})

    def _explain(self, error: Refused, reference: RunReference, place: _Place) -> None:
        # v2 says so of a project that is not there, or not for this key.
        if error.status == HTTPStatus.NOT_FOUND:
            raise self._not_found(reference, place) from error

    def _not_found(self, reference: RunReference, place: _Place) -> TraceError:
        return TraceError(
            f"There is no run {reference.run_id} in {place.name} on {self._service.host}, at any time. Is the id that "
            "of a run, and the project the right one (project:, LANGSMITH_PROJECT, or the address of the run's page)? "
            "LangSmith also forgets traces when their retention ends, and shows new ones after some seconds."
        )


def _trace_v1(pages: Pages, trace_id: str, project_id: str | None) -> list[Record]:
    body = {"trace": trace_id, "select": _V1_FIELDS, "limit": PAGE, "order": "asc"}
    return pages.records("/api/v1/runs/query", body | _in_project(project_id))


def _in_project(project_id: str | None) -> dict[str, Any]:
    return {"session": [project_id]} if project_id else {}
