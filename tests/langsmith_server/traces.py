"""Traces for the service: made ones, and exports of real ones."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Run = dict[str, Any]

_NAMES = UUID("2b1f7c1e-7d0a-4c52-9a44-1d6a3e2f0b5c")
_START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
# Who follows whom below the root.
_KINDS = (("chain", "plan"), ("llm", "ChatModel"), ("tool", "lookup"), ("retriever", "documents"))


def made(runs: int, *, name: str = "agent", said: str = "You have 3 transactions.") -> list[Run]:
    """Return a trace of so many runs: a root, under it chains with a model, a tool and a retriever each."""
    root = str(uuid5(_NAMES, f"{name} {runs}"))
    parts: list[Run] = []
    for index in range(runs):
        parent = None if index == 0 else parts[0] if index % 4 == 1 else parts[(index - 2) // 4 * 4 + 1]
        parts.append(_run(index, parent, root=root, name=name))
    parts[0] |= {"inputs": {"question": "How many?"}, "outputs": {"output": said}}
    return parts


def _run(index: int, parent: Run | None, *, root: str, name: str) -> Run:
    run_id = root if parent is None else str(uuid5(UUID(root), str(index)))
    kind, called = ("chain", name) if parent is None else _KINDS[(index - 1) % 4]
    start = _START + timedelta(milliseconds=10 * index)
    place = f"{start:%Y%m%dT%H%M%S%f}Z{run_id}"
    return {
        "id": run_id,
        "trace_id": root,
        "parent_run_id": parent and parent["id"],
        "dotted_order": f"{parent['dotted_order']}.{place}" if parent else place,
        "name": called,
        "run_type": kind,
        "status": "success",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(milliseconds=5)).isoformat(),
        "inputs": {"input": f"step {index}"},
        "outputs": {"output": f"done {index}"},
        "extra": {"metadata": {"step": index}},
        "tags": ["made"],
    }


def exported(path: Path) -> list[Run]:
    """Return the runs of an export, a list or JSON lines, packed or not."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    try:
        found = json.loads(text)
    except ValueError:
        found = [json.loads(line) for line in text.splitlines()]
    return list(_whole(found["runs"] if isinstance(found, dict) else found))


def _whole(runs: Sequence[Run]) -> Iterator[Run]:
    for run in runs:
        defaults = {"status": "error" if run.get("error") else "success", "trace_id": run["id"]}
        yield defaults | run


def with_change(runs: list[Run], number: int, **fields: object) -> list[Run]:
    """Return the runs with other fields in one of them, counted from 0."""
    return [run | fields if index == number else run for index, run in enumerate(runs)]
