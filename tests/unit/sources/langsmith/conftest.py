"""A LangSmith on this machine, and sources that read from it without ever really waiting."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget.request_pace import RequestPace
from pytest_refinery.sources.langsmith import account as langsmith_account
from pytest_refinery.sources.langsmith.cache import TraceCache
from pytest_refinery.sources.langsmith.client import Service
from pytest_refinery.sources.langsmith.source import LangSmith
from pytest_refinery.sources.langsmith.transport import HttpTransport
from tests.langsmith_server import KEY, LangSmithServer
from tests.openai_server.clock import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> SetClock:
    """The time of server and clients: it goes on when somebody sleeps."""
    return SetClock()


@pytest.fixture
def server(clock: SetClock) -> Iterator[LangSmithServer]:
    with LangSmithServer(clock=clock) as server:
        yield server


@pytest.fixture
def environment(server: LangSmithServer) -> dict[str, str]:
    return {"LANGSMITH_ENDPOINT": server.endpoint, "LANGSMITH_API_KEY": KEY}


@pytest.fixture
def connect(environment: dict[str, str], clock: SetClock, tmp_path: Path) -> Callable[..., LangSmith]:
    """Return a source as one process has it: ``connect(cache=True, LANGSMITH_PROJECT="support")``."""

    def connect(*, cache: bool = False, **variables: str) -> LangSmith:
        ask = partial(
            Service,
            wire=HttpTransport(),
            pace=RequestPace(tmp_path / "pace.json", clock=clock),
            patience_seconds=120.0,
            clock=clock,
            sleep=clock.sleep,
        )
        account = langsmith_account.from_environment(environment | variables)
        kept = TraceCache(tmp_path / "traces") if cache else None
        return LangSmith(account, ask, cache=kept)

    return connect
