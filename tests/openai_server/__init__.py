"""The service of OpenAI that the product talks to, on this machine: files, vector stores, responses, limits.

In a test::

    with OpenAIServer(tpm=30_000, tpm_model="sliding", minute_seconds=6.0) as server:
        server.faults.add(faults.rate_limited(wait=0.1), nth=2)
        ...  # with OPENAI_BASE_URL=server.base_url
        assert not server.refusals

By hand: ``python -m tests.openai_server --port 8080 --tpm 30000 --tpm-model sliding``.
"""

from __future__ import annotations

from tests.openai_server import faults
from tests.openai_server.brain import RunReader, View
from tests.openai_server.clock import SetClock
from tests.openai_server.faults import Fault
from tests.openai_server.journal import Exchange
from tests.openai_server.server import OpenAIServer

__all__ = ["Exchange", "Fault", "OpenAIServer", "RunReader", "SetClock", "View", "faults"]
