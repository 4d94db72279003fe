"""Answers of LangSmith's v1 that come in pages of 100 runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from pytest_refinery.sources.formats import is_pending
from pytest_refinery.sources.langsmith import payloads
from pytest_refinery.sources.langsmith.client import V1_QUERY
from pytest_refinery.sources.langsmith.payloads import mapping, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_refinery.sources.langsmith.client import Service
    from pytest_refinery.sources.langsmith.payloads import Record

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
