"""LangSmith's run records, v1 and v2 field names, as runs of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pytest_refinery.errors import TraceError
from pytest_refinery.traces.model import Run, RunKind

_KNOWN_KINDS = frozenset(RunKind)
# Settings of a model call that say nothing about it.
_NO_SETTINGS = frozenset({"_type", "stop"})
_UNMAPPED_METADATA = ("langgraph_", "LANGSMITH_", "LANGCHAIN_", "ls_", "lc_", "checkpoint_", "__")


def is_run(value: object) -> bool:
    """Tell whether a JSON value looks like a run record or a batch of them."""
    return isinstance(value, Mapping) and (
        "run_type" in value or "dotted_order" in value or ("id" in value and ("inputs" in value or "outputs" in value))
    )


class Records:
    """Collects run records; several records of one id (a post and its patch) are one run."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._by_id: dict[str, dict[str, Any]] = {}
        self._count = 0
        self.trace_id: str | None = None

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def add(self, value: object) -> None:
        """Add one record, and the ``child_runs`` nested in it.

        Raises:
            TraceError: It is no object, or has no id.
        """
        for record in _flattened(value, None):
            self._count += 1
            self._add(record)

    def _add(self, record: object) -> None:
        if not isinstance(record, Mapping):
            msg = f"{self._source}: entry {self._count} is {_kind_of(record)}, not a run object."
            raise TraceError(msg)
        run_id = record.get("id") or _last_id(record.get("dotted_order"))
        if not run_id:
            msg = f"{self._source}: run {self._count} ({_shown(record.get('name'))}) has no id; export the runs with their ids."
            raise TraceError(msg)
        known = self._by_id.setdefault(str(run_id), {"id": str(run_id)})
        known.update({key: _merged(known.get(key), item) for key, item in record.items() if item is not None})
        self.trace_id = self.trace_id or record.get("trace_id")

    def runs(self) -> tuple[list[Run], tuple[str, ...]]:
        """Return the runs, in the order of the file, and what could not be mapped."""
        found = [_run(record) for record in self._by_id.values()]
        merged = self._count - len(found)
        offloaded = sum(1 for record in self._by_id.values() if _is_offloaded(record))
        notes = []
        if merged and not any("run_type" not in record for record in self._by_id.values()):
            notes.append(f"{merged} records repeat the id of another and were merged with it.")
        if offloaded:
            notes.append(f"{offloaded} runs keep their inputs or outputs elsewhere (offloaded); the file does not hold them.")
        return found, tuple(notes)


def _flattened(value: object, parent: str | None) -> Iterator[object]:
    if not isinstance(value, Mapping):
        yield value
        return
    record = dict(value)
    children = record.pop("child_runs", None)
    if parent is not None and not _parent_id(record):
        record["parent_run_id"] = parent
    yield record
    for child in children if isinstance(children, list) else ():
        yield from _flattened(child, str(record.get("id")))


def _merged(old: object, new: object) -> object:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _is_offloaded(record: Mapping[str, Any]) -> bool:
    return any(record.get(f"{side}_s3_urls") and not record.get(side) for side in ("inputs", "outputs"))


def _run(record: Mapping[str, Any]) -> Run:
    extra = _mapping(record.get("extra"))
    metadata = {**_mapping(extra.get("metadata")), **_mapping(record.get("metadata"))}
    kind = str(record.get("run_type") or RunKind.CHAIN)
    started, ended = _time(record.get("start_time")), _time(record.get("end_time"))
    if started and not ended and isinstance(record.get("latency_seconds"), int | float):
        ended = datetime.fromtimestamp(started.timestamp() + record["latency_seconds"], tz=UTC)
    status = record.get("status")
    return Run(
        id=record["id"],
        name=str(record.get("name") or kind),
        kind=kind.lower() if kind.lower() in _KNOWN_KINDS else kind,
        parent_id=_parent_id(record),
        inputs=_value(record.get("inputs")),
        outputs=_value(record.get("outputs")),
        error=_error(record),
        is_pending=status == "pending",
        started_at=started,
        ended_at=ended,
        tags=tuple(str(tag) for tag in record.get("tags") or ()),
        metadata={key: item for key, item in metadata.items() if not key.startswith(_UNMAPPED_METADATA)},
        settings=_settings(extra, metadata),
        template=record.get("serialized") or record.get("manifest"),
        usage=_usage(record),
    )


def _error(record: Mapping[str, Any]) -> str | None:
    error = record.get("error") or record.get("error_preview")
    if error:
        return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    return "The run is marked as failed, without a message." if record.get("status") == "error" else None


def _parent_id(record: Mapping[str, Any]) -> str | None:
    parent = record.get("parent_run_id")
    if not parent and isinstance(record.get("parent_run_ids"), list) and record["parent_run_ids"]:
        parent = record["parent_run_ids"][-1]
    if not parent and isinstance(record.get("dotted_order"), str) and "." in record["dotted_order"]:
        parent = _last_id(record["dotted_order"].rpartition(".")[0])
    return str(parent) if parent else None


def _last_id(dotted_order: object) -> str | None:
    """Return the run id at the end of a dotted order (``<time>Z<id>.<time>Z<id>``)."""
    if not isinstance(dotted_order, str):
        return None
    return dotted_order.rpartition(".")[2].partition("Z")[2] or None


def _value(value: object) -> object:
    # Some exports carry the payload as a string of JSON.
    if isinstance(value, str) and value[:1] in "{[" and value[-1:] in "}]":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value if value != {} else None


def _settings(extra: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, object]:
    params = _mapping(extra.get("invocation_params"))
    found = {key: item for key, item in params.items() if item is not None and key not in _NO_SETTINGS}
    model = metadata.get("ls_model_name")
    if model and not {"model", "model_name"} & found.keys():
        found["model"] = model
    temperature = metadata.get("ls_temperature")
    if temperature is not None:
        found.setdefault("temperature", temperature)
    return found


def _usage(record: Mapping[str, Any]) -> dict[str, int]:
    outputs = _mapping(record.get("outputs"))
    llm_output = _mapping(outputs.get("llm_output"))
    reported = next(
        (
            source
            for source in (outputs.get("usage_metadata"), outputs.get("usage"), llm_output.get("token_usage"), record)
            if isinstance(source, Mapping) and _counts(source)
        ),
        {},
    )
    return _counts(reported)


_USAGE_NAMES = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
}


def _counts(source: Mapping[str, Any]) -> dict[str, int]:
    counted = {}
    for name, keys in _USAGE_NAMES.items():
        value = next((source[key] for key in keys if isinstance(source.get(key), int | float)), None)
        if value is not None:
            counted[name] = int(value)
    return counted


def _time(value: object) -> datetime | None:
    """Return a moment in UTC; ISO text with or without a zone, or milliseconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        except (OverflowError, OSError, ValueError):
            return None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kind_of(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")


def _shown(name: object) -> str:
    return str(name)[:80] if name else "without a name"
