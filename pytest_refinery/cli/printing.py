"""What commands print: answers on stdout, what is being done on stderr."""

from __future__ import annotations

import sys

WIDTH = 80
"""Columns of what is printed."""


def say(words: str) -> None:
    """Say what is being done; the answer alone goes to stdout."""
    print(f"pytest-refinery: {words}", file=sys.stderr)


def show(text: str) -> None:
    """Print what may hold words of a trace, so that they steer nothing."""
    from pytest_refinery.reports.escape import inert, printable

    print(inert(printable(text)))
