"""LangSmith's run records, v1 and v2 field names, as runs of ours."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeGuard
from uuid import UUID

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.tally import Tally, described, kind_of
from pytest_refinery.traces import json_values
from pytest_refinery.traces.json_values import mapping
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_LISTS = frozenset({"runs", "items", "post", "patch"})
"""The keys of an export's lists of runs."""
_CONTENTS = frozenset({"inputs", "outputs"})
_KNOWN_KINDS = frozenset(RunKind)
# Events of LangChain's runnables: on_chat_model_start.
_EVENT = re.compile(r"on_(chat_model|llm|chain|tool|retriever|prompt|parser)_(start|stream|end|error)")
_ENDS = frozenset({"end", "error"})
_EVENT_KINDS = {"chat_model": RunKind.LLM}
# Settings of a model call that say nothing about it.
_NO_SETTINGS = frozenset({"_type", "stop"})
_UNMAPPED_METADATA = ("langgraph_", "LANGSMITH_", "LANGCHAIN_", "ls_", "lc_", "checkpoint_", "__")


def is_run(value: object) -> bool:
    """Tell whether a JSON value looks like a run record or a batch of them."""
    return isinstance(value, Mapping) and (
        "run_type" in value
        or "dotted_order" in value
        or ("id" in value and "trace_id" in value and not _CONTENTS.isdisjoint(value))
        or _is_event(value)
    )


def _is_event(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and "run_id" in value and _EVENT.fullmatch(str(value.get("event"))) is not None


def _run_of_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event of a graph's run (``astream_events``) says of it, as a record of a run."""
    kind, phase = str(event["event"]).removeprefix("on_").rsplit("_", 1)
    data, parents = mapping(event.get("data")), event.get("parent_ids")
    has_ended = phase in {"end", "error"}
    return {
        "id": event["run_id"],
        "name": event.get("name"),
        "run_type": _EVENT_KINDS.get(kind, kind),
        "parent_run_id": parents[-1] if isinstance(parents, list) and parents else None,
        "inputs": data.get("input"),
        "outputs": data.get("output") if has_ended else None,
        "error": str(data.get("error") or "The run has failed.") if phase == "error" else None,
        "status": "success" if has_ended else None if phase == "stream" else "pending",
        "tags": event.get("tags"),
        "metadata": event.get("metadata"),
    }


def is_pending(record: Mapping[str, Any]) -> bool:
    """Tell whether a run had not ended when its record was written."""
    return _status(record) == "pending"


class Records:
    """Collects run records; several records of one id (a post and its patch) are one run."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._by_id: dict[str, dict[str, Any]] = {}
        self._count = 0
        self._events: dict[str, set[str]] = {}
        self._outermost: object = None
        self._repeated = 0

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def take(self, value: object) -> None:
        """Add one record, and the ``child_runs`` nested in it.

        Raises:
            TraceError: It is no object, or has no id.
        """
        for record in _flattened(self._of_event(value) if _is_event(value) else value, None):
            self._count += 1
            self._add(record)

    def _of_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record that an event makes; version 1 of events does not say what a run belongs to."""
        record, phase = _run_of_event(event), str(event["event"]).rpartition("_")[2]
        self._events.setdefault(str(event["run_id"]), set()).add(phase)
        if self._outermost is None and phase == "start":
            self._outermost = record["id"]
        elif record["id"] != self._outermost:
            record["parent_run_id"] = record["parent_run_id"] or self._outermost
        elif phase in _ENDS:
            self._outermost = None
        return record

    def _add(self, record: object) -> None:
        if not isinstance(record, Mapping):
            msg = f"{self._source}: entry {self._count} is {kind_of(record)}, not a run object."
            raise TraceError(msg)
        run_id = _id(record)
        if not run_id:
            name = _shown(record.get("name"))
            msg = f"{self._source}: run {self._count} ({name}) has no id; export the runs with their ids."
            raise TraceError(msg)
        known = self._by_id.setdefault(run_id, {})
        self._repeated += _is_ended(known) and _is_ended(record)
        known.update({key: _merged(known.get(key), item) for key, item in record.items() if item is not None})

    def trace_id(self, run_id: str) -> str:
        """Return the id of the trace that a run says it belongs to, else the run's own."""
        return str(self._by_id[run_id].get("trace_id") or run_id)

    def trace(self) -> Trace:
        """Return the trace of all records added.

        Raises:
            TraceError: Two runs share an id, or parents form a cycle.
        """
        runs, notes = self.runs()
        ordered = in_order(runs, source=self._source)
        root = ordered[0]
        trace = Trace(id=self.trace_id(root.id), name=root.name, runs=ordered, source=self._source)
        orphans = sum(1 for run in trace.roots if run.parent_id is not None)
        if orphans:
            notes = (*notes, f"Runs that stand as roots because their parent is not in the file: {orphans}.")
        return trace.model_copy(update={"notes": notes})

    def runs(self) -> tuple[list[Run], tuple[str, ...]]:
        """Return the runs, in the order of the file, and what could not be mapped."""
        found = [_run(run_id, record) for run_id, record in self._by_id.items()]
        return found, tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        halves = sum("start" not in phases or phases.isdisjoint(_ENDS) for phases in self._events.values())
        if halves:
            yield f"Runs of which only the start or only the end is in the file: {halves}."
        if self._repeated:
            yield f"Records merged with an earlier one of the same id: {self._repeated}."
        traces = {record["trace_id"] for record in self._by_id.values() if isinstance(record.get("trace_id"), str)}
        if len(traces) > 1:
            yield f"The file holds {len(traces)} traces; they are read as one, in the order of their times."
        offloaded = sum(1 for record in self._by_id.values() if _is_offloaded(record))
        if offloaded:
            yield f"Runs whose inputs or outputs are kept elsewhere (offloaded), not in the file: {offloaded}."


class ExportedRuns(Records):
    """Collects the runs of a file."""

    what = "runs of LangSmith"

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._others = Tally("Records that are no runs, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a run."""
        return is_run(record)

    def add(self, value: object) -> bool:
        """Add one record, and the ``child_runs`` nested in it.

        Returns:
            Whether it is a run; what is an object and none is counted.

        Raises:
            TraceError: It is no object, or has no id.
        """
        is_known = not isinstance(value, Mapping) or is_run(value) or {"id", "name"} <= value.keys()
        if is_known:
            self.take(value)
        self._others.add(1, () if is_known else [described(value)])
        return is_known

    def _notes(self) -> Iterator[str]:
        yield from super()._notes()
        yield from self._others.notes()


def _id(record: Mapping[str, Any]) -> str | None:
    run_id = record.get("id") or _last_id(record.get("dotted_order"))
    return str(run_id) if run_id else None


def _is_ended(record: Mapping[str, Any]) -> bool:
    """Tell a whole run from the post that opens it and the patch that closes it."""
    return bool(record.get("end_time") and record.get("start_time"))


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
        yield from _flattened(child, _id(record))


def _merged(old: object, new: object) -> object:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _is_offloaded(record: Mapping[str, Any]) -> bool:
    return any(record.get(f"{side}_s3_urls") and not record.get(side) for side in ("inputs", "outputs"))


def _run(run_id: str, record: Mapping[str, Any]) -> Run:
    extra = mapping(record.get("extra"))
    metadata = {**mapping(extra.get("metadata")), **mapping(record.get("metadata"))}
    kind = str(record.get("run_type") or RunKind.CHAIN)
    started = _time(record.get("start_time"))
    return Run(
        id=run_id,
        name=str(record.get("name") or kind),
        kind=kind.lower() if kind.lower() in _KNOWN_KINDS else kind,
        parent_id=_parent_id(record),
        inputs=_value(record.get("inputs")),
        outputs=_value(record.get("outputs")),
        error=_error(record),
        is_pending=is_pending(record),
        started_at=started,
        ended_at=_time(record.get("end_time")) or _later(started, record.get("latency_seconds")),
        tags=_tags(record.get("tags")),
        metadata={key: item for key, item in metadata.items() if not key.startswith(_UNMAPPED_METADATA)},
        settings=_settings(extra, metadata),
        template=record.get("serialized") or record.get("manifest"),
        usage=_usage(record),
    )


def _status(record: Mapping[str, Any]) -> str:
    # v1 writes "error", v2 "ERROR".
    return str(record.get("status")).lower()


def _tags(value: object) -> tuple[str, ...]:
    return tuple(str(tag) for tag in value) if isinstance(value, list) else ()


def _error(record: Mapping[str, Any]) -> str | None:
    error = record.get("error") or record.get("error_preview")
    if error:
        return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    return "The run is marked as failed, without a message." if _status(record) == "error" else None


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
    run_id = dotted_order.rpartition(".")[2].partition("Z")[2]
    try:
        return str(UUID(run_id))
    except ValueError:
        return run_id or None


def _value(value: object) -> object:
    # Some exports carry the payload as a string of JSON.
    if isinstance(value, str) and value.startswith(("{", "[")) and value.endswith(("}", "]")):
        return json_values.parsed(value) or value
    return value if value != {} else None


def _settings(extra: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, object]:
    params = mapping(extra.get("invocation_params"))
    found = {key: item for key, item in params.items() if item is not None and key not in _NO_SETTINGS}
    model = metadata.get("ls_model_name")
    if model and not {"model", "model_name"} & found.keys():
        found["model"] = model
    temperature = metadata.get("ls_temperature")
    if temperature is not None:
        found.setdefault("temperature", temperature)
    return found


def _usage(record: Mapping[str, Any]) -> dict[str, int]:
    """Return the first token counts found; in a record itself, 0 stands for unknown."""
    outputs = mapping(record.get("outputs"))
    llm_output = mapping(outputs.get("llm_output"))
    reported = (
        outputs.get("usage_metadata"),
        outputs.get("usage"),
        llm_output.get("token_usage"),
        _generated(outputs).get("usage_metadata"),
        record,
    )
    counted = (_counts(source) for source in reported if isinstance(source, Mapping))
    return next((counts for counts in counted if any(counts.values())), {})


def _generated(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of the first message that a LangChain model generated."""
    value = outputs.get("generations")
    while isinstance(value, list) and value:
        value = value[0]
    message = mapping(mapping(value).get("message"))
    return mapping(message.get("kwargs"))


_USAGE_NAMES = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
}


def _counts(source: Mapping[str, Any]) -> dict[str, int]:
    counted = {}
    for name, keys in _USAGE_NAMES.items():
        value = next((source[key] for key in keys if _is_number(source.get(key))), None)
        if value is not None:
            counted[name] = int(value)
    return counted


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _time(value: object) -> datetime | None:
    """Return a moment in UTC; ISO text with or without a zone, or milliseconds since 1970."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo:
            return moment and moment.astimezone(UTC)
        return moment.replace(tzinfo=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _later(moment: datetime | None, seconds: object) -> datetime | None:
    try:
        return moment + timedelta(seconds=seconds) if moment and isinstance(seconds, int | float) else None
    except (OverflowError, ValueError):
        return None


def _shown(name: object) -> str:
    return str(name)[:80] if name else "without a name"
