"""The service of LangSmith that the product talks to, on this machine: traces, projects, public links, limits.

In a test::

    with LangSmithServer() as server:
        trace = server.store.add(traces.made(7), project="support")
        server.faults.add(faults.unauthorised())
        ...  # with LANGSMITH_ENDPOINT=server.endpoint and LANGSMITH_API_KEY=KEY

By hand: ``python -m tests.langsmith_server --port 8081 export.json``.
"""

from __future__ import annotations

from tests.langsmith_server import faults, traces
from tests.langsmith_server.server import LangSmithServer
from tests.langsmith_server.terms import KEY

__all__ = ["KEY", "LangSmithServer", "faults", "traces"]
