from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import OpenAI

from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server without limits."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def connect() -> Iterator[Callable[[OpenAIServer], OpenAI]]:
    """Connect the official SDK to a server."""
    clients: list[OpenAI] = []

    def connect(server: OpenAIServer) -> OpenAI:
        clients.append(OpenAI(base_url=server.base_url, api_key="test", max_retries=0))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(server: OpenAIServer, connect: Callable[[OpenAIServer], OpenAI]) -> OpenAI:
    """The official SDK, connected to ``server``."""
    return connect(server)
