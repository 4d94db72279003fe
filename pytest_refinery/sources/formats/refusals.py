"""Why a file is not read, in sentences that say what it looks like and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.tally import described

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

PAGE = "docs/reference/trace-formats.md"
_KEYS_SHOWN = 8
# What a file is by its first value: the keys that say so, what it is called, and the way to one that can be read.
_LOOKS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"log"}), "a HAR file", "save the bodies of its requests to the model, one JSON object a line"),
    (
        frozenset({"inputs", "outputs"}),
        "examples of a LangSmith dataset",
        "export the runs that they were made from (pytest-refinery fetch)",
    ),
    (
        frozenset({"id", "name", "timestamp", "input", "output"}),
        "a table of Langfuse traces without their observations",
        "download each trace with its observations (JSON, from its page or GET /api/public/traces/{id})",
    ),
    (frozenset({"openapi"}), "an OpenAPI document", ""),
    (frozenset({"nbformat"}), "a notebook", ""),
    (frozenset({"lockfileVersion"}), "a lock file", ""),
    (
        frozenset({"task_id", "reward"}),
        "results of a benchmark without their messages",
        "run it with its trajectories saved",
    ),
)
_AS_LINES = "to_json(OUT, orient='records', lines=True)"
_MAGIC = (
    (b"PAR1", "Parquet", f"write it as JSON: pandas.read_parquet(FILE).{_AS_LINES}"),
    (b"PK\x03\x04", "a zip archive", "unpack it and name the JSON file in it"),
    (b"SQLite format 3", "an SQLite database", "export the trace as JSON from the tool that wrote it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"%PDF", "a PDF", "export the trace as JSON"),
)


def unknown(path: Path, values: Sequence[Any]) -> str:
    """Return why a file of JSON without any trace in it is refused."""
    first = next((value for value in values if isinstance(value, Mapping)), values[0] if values else None)
    texts = first.get("messages") if isinstance(first, Mapping) else values[1:]
    if isinstance(texts, Sequence) and any(isinstance(text, str) for text in texts):
        return (
            f"{path}: the messages in it are texts, as json.dumps(..., default=str) writes objects that are no JSON. "
            "What a text says of calls is not read; write the objects themselves: "
            f"langchain_core.load.dumpd(result), model_dump() and the like. {_ways()}"
        )
    keys = list(map(str, first)) if isinstance(first, Mapping) else []
    look = next(((name, way) for marks, name, way in _LOOKS if marks <= set(keys)), None)
    looks = f" It looks like {look[0]}{f': {look[1]}' if look[1] else ''}." if look else ""
    found = f" Its keys: {_listed(keys)}." if keys else f" What is in it: {described(first)}." if values else ""
    return f"{path}: no runs and no messages in it.{looks}{found} {_ways()}"


def unread(path: Path, entries: Sequence[Any], total: int, *, place: str) -> str:
    """Return why a file is refused in which entries have no role or no content."""
    where = f" under {place!r}" if place else ""
    first = entries[0]
    if not isinstance(first, Mapping):
        kinds = ", ".join(dict.fromkeys(map(described, entries)))
        lacks = f"are no messages ({kinds})" if len(entries) > 1 else f"is no message ({kinds})"
    else:
        what = "known content" if isinstance(first.get("role"), str) else "role"
        lacks = f"{'have' if len(entries) > 1 else 'has'} no {what}: keys {_listed(list(map(str, first)))}"
    return f"{path}: {len(entries)} of {total} entries{where} {lacks}. What they say would be missing. {_ways()}"


def few(path: str, what: str, unread_records: Counter[str], total: int) -> str:
    """Return why a file is refused of which less is read than not."""
    kinds = ", ".join(name for name, _ in unread_records.most_common(_KEYS_SHOWN))
    return f"{path}: {unread_records.total()} of {total} records are no {what}: {kinds}. {_ways()}"


def no_json(path: Path, start: bytes) -> str | None:
    """Return what a file that is no JSON looks like, ``None`` where nothing can be said."""
    look, way = _look_of(path, start)
    return f"{path}: it looks like {look}, which is not read; {way}. {_ways()}" if look else None


def _look_of(path: Path, start: bytes) -> tuple[str, str]:
    if path.suffix == ".eval" and start.startswith(b"PK"):
        return "a log of inspect_ai", "write it as JSON: inspect log dump FILE > OUT.json"
    for magic, look, way in _MAGIC:
        if start.startswith(magic):
            return look, way
    try:
        # A character may be cut.
        return _look_of_text(path, start[:-4].decode().splitlines() or [start.decode()])
    except UnicodeDecodeError:
        return "", ""


def _look_of_text(path: Path, lines: list[str]) -> tuple[str, str]:
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("<"):
        return "HTML or XML", "export the trace as JSON"
    if path.suffix in {".csv", ".tsv"} or (first.count(",") > 1 and not first.lstrip().startswith(("{", "["))):
        return "a table (CSV)", f"write it as JSON: pandas.read_csv(FILE).{_AS_LINES}"
    if any(line.lstrip("#* ").lower().startswith(("user:", "human:", "assistant:", "ai:")) for line in lines):
        return (
            "a dialogue in plain text, which has no place for calls of tools",
            "write it as [{'role': ..., 'content': ...}]",
        )
    if first.startswith("#"):
        return "Markdown", "export the session as JSON; a text has no place for calls of tools"
    return "", ""


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
    return ", ".join(key[:40] for key in keys[:_KEYS_SHOWN]) + more


def _ways() -> str:
    return (
        f"{PAGE} lists the formats that are read and how to get them; the hook pytest_refinery_trace_source reads one "
        "of your own."
    )
