"""Lists of objects, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tests.openai_server.messages import JsonObject, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_USUAL_LIMIT = 20
_MOST = 100


def new_id(prefix: str) -> str:
    """Return an id that nothing else has, also on another server."""
    return f"{prefix}{uuid4().hex}"


def page(
    items: Sequence[JsonObject],
    query: Mapping[str, str],
    *,
    limit: int = _USUAL_LIMIT,
    most: int = _MOST,
) -> JsonObject:
    """Return the page of ``items``, oldest first, that the query's limit, order, after and before ask for."""
    size = _limit(query.get("limit"), limit, most)
    rows = list(items) if query.get("order") == "asc" else list(reversed(items))
    ids = [row["id"] for row in rows]
    start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
    end = ids.index(query["before"]) if query.get("before") in ids else len(ids)
    shown = rows[start:end][:size]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + size < end,
    }


def _limit(given: str | None, usual: int, most: int) -> int:
    if given is None:
        return usual
    if not given.isdecimal() or not 1 <= int(given) <= most:
        message = f"Invalid 'limit': expected an integer from 1 to {most}, but got '{given}' instead."
        raise ServiceError(message, param="limit", code="invalid_value")
    return int(given)
