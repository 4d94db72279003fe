"""Requests that are none of a cassette's business."""

from __future__ import annotations

import os
import re
import sys
from urllib.parse import urlsplit

# Where LangSmith's clients send runs: https://api.smith.langchain.com/redoc. Elsewhere /runs may start an agent.
_LANGSMITH_RUNS = re.compile(r"/(?:api/v\d+/)?(?:otel/v1/traces|runs(?:/batch|/multipart|/[0-9a-f-]{36})?)")
_MULTIPART = "/runs/multipart"
_LANGSMITH = ".smith.langchain.com"
_ENDPOINTS = ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")
# OpenTelemetry's protocol over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
_OTLP = re.compile(r"(?:.*/)?v1/(?:traces|logs|metrics)")
_OTLP_PORT = 4318
_POOLS = (("ConnectionPool", "handle_request"), ("AsyncConnectionPool", "handle_async_request"))


def is_an_upload(method: str, url: str) -> bool:
    """Tell whether a request sends what a tracer has seen: that is about the item, not part of it."""
    if method not in {"POST", "PATCH"}:
        return False
    parts = urlsplit(url)
    if parts.path.endswith(_MULTIPART):
        return True
    if f".{parts.hostname}".endswith(_LANGSMITH) or parts.netloc in _langsmiths():
        return _LANGSMITH_RUNS.fullmatch(parts.path) is not None
    return _OTLP.fullmatch(parts.path) is not None and (parts.port == _OTLP_PORT or parts.path.endswith("/traces"))


def _langsmiths() -> set[str]:
    return {urlsplit(os.environ[name]).netloc for name in _ENDPOINTS if os.environ.get(name)}


def is_mocked(core: str) -> bool:
    """Tell whether somebody answers for the network beneath a library, as respx does beneath httpx.

    Args:
        core: The package through which the library reaches the network: ``httpcore``.
    """
    module = sys.modules.get(core)
    return module is not None and any(
        getattr(getattr(module, pool), method).__module__.partition(".")[0] != core for pool, method in _POOLS
    )
