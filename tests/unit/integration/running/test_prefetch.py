from __future__ import annotations

from pathlib import Path

import pytest

from pytest_refinery.errors import TraceError
from pytest_refinery.integration.running import prefetch
from pytest_refinery.integration.running.prefetch import Prefetch, Reference

SOMEWHERE = Reference("service:1", Path(), None)


@pytest.mark.parametrize("flag", ["-x", "--maxfail=2", "--pdb", "--trace", "--sw"])
def test_it_is_not_wise_where_the_run_may_stop_before_the_next_item(pytester: pytest.Pytester, flag: str) -> None:
    assert prefetch.is_wise(pytester.parseconfig())
    assert not prefetch.is_wise(pytester.parseconfig(flag))


def test_what_was_not_fetched_ahead_is_not_there() -> None:
    def load(_: Reference) -> None:
        raise TraceError("nobody asks for it")

    assert Prefetch(load).take(SOMEWHERE) is None  # type: ignore[arg-type]
