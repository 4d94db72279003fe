"""To look for secrets takes linear time in whatever a degenerating model prints."""

from __future__ import annotations

import time

import pytest

from benchmarks.hostile import PIECES
from pytest_refinery.scrubbing.scrubber import Scrubber

_SIZE = 800_000


@pytest.mark.parametrize("piece", PIECES)
def test_a_degenerate_text_takes_linear_time(piece: str) -> None:
    assert len(PIECES) == 33
    text = piece * (_SIZE // len(piece))
    begin = time.thread_time()
    Scrubber().text(text)
    # On an idle machine at most one second; a quadratic search would take hours.
    assert time.thread_time() - begin < 20
