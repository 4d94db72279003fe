"""The service of OpenAI that the product talks to, on this machine: files, vector stores, responses, limits."""

from __future__ import annotations

from tests.openai_server import faults
from tests.openai_server.brain import RunReader, View
from tests.openai_server.clock import SetClock
from tests.openai_server.faults import Fault
from tests.openai_server.journal import Exchange
from tests.openai_server.server import OpenAIServer

__all__ = ["Exchange", "Fault", "OpenAIServer", "RunReader", "SetClock", "View", "faults"]
