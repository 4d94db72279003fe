"""Requests that are none of a cassette's business."""

from __future__ import annotations

import re
import sys
from urllib.parse import urlsplit

# Where LangSmith's clients send runs: https://api.smith.langchain.com/redoc, and the SDK's own client.
_LANGSMITH_RUNS = re.compile(r"/(?:api/v\d+/)?(?:otel/v1/traces|runs(?:/batch|/multipart|/[0-9a-f-]{36})?)")
_POOLS = (("ConnectionPool", "handle_request"), ("AsyncConnectionPool", "handle_async_request"))
_OTLP = re.compile(r"/v1/(?:traces|logs|metrics)")


def is_an_upload(method: str, url: str) -> bool:
    """Tell whether a request sends what a tracer has seen: that is about the item, not part of it."""
    if method not in {"POST", "PATCH"}:
        return False
    path = urlsplit(url).path
    return bool(_LANGSMITH_RUNS.fullmatch(path) or _OTLP.search(path))


def is_mocked(core: str) -> bool:
    """Tell whether somebody answers for the network beneath a library, as respx does beneath httpx.

    Args:
        core: The package through which the library reaches the network: ``httpcore``.
    """
    module = sys.modules.get(core)
    return module is not None and any(
        getattr(getattr(module, pool), method).__module__.partition(".")[0] != core for pool, method in _POOLS
    )
