from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import DefaultHttpxClient, OpenAI

from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server without limits."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[OpenAIServer], OpenAI]]:
    """Connect the official SDK to a server."""
    # One for all: making one takes longer than most tests.
    with DefaultHttpxClient() as http_client:
        yield lambda server: OpenAI(
            base_url=server.base_url,
            api_key="test",
            max_retries=0,
            http_client=http_client,
        )


@pytest.fixture
def client(server: OpenAIServer, connect: Callable[[OpenAIServer], OpenAI]) -> OpenAI:
    """The official SDK, connected to ``server``."""
    return connect(server)
