"""The limits of one key are kept by all workers together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.langsmith_server import traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.sources.langsmith.source import LangSmith
    from tests.langsmith_server import LangSmithServer
    from tests.openai_server.clock import SetClock

    Connect = Callable[..., LangSmith]

HERE = Path()


@pytest.mark.parametrize(
    ("has_v2", "loads", "least_seconds"), [(True, 700, 20), (False, 60, 20)], ids=["v2: 300 in 10 s", "v1: 15 in 10 s"]
)
def test_workers_one_after_the_other_are_never_refused(
    server: LangSmithServer,
    connect: Connect,
    clock: SetClock,
    has_v2: bool,  # noqa: FBT001
    loads: int,
    least_seconds: float,
) -> None:
    server.has_v2 = has_v2
    kept = server.store.add(traces.made(1))
    workers = [connect() for _ in range(3)]
    start = clock()
    for number in range(loads):
        workers[number % 3].load(server.page_of(kept), base=HERE)
    assert {each.answer.status for each in server.log if "/v2/" not in each.request.path or has_v2} == {200}
    assert least_seconds <= clock() - start < 2 * least_seconds + 10
