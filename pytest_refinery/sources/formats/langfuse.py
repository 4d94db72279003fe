"""Exports of Langfuse: a trace and its observations, whose values are often texts of JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.otel import Attributes, contents_of
from pytest_refinery.sources.formats.tally import Tally, described, tree_notes
from pytest_refinery.sources.formats.values import decoded, timestamp, token_counts
from pytest_refinery.traces import messages
from pytest_refinery.traces.json_values import mapping
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json

_TYPES: dict[str, str | None] = {
    "GENERATION": RunKind.LLM,
    "TOOL": RunKind.TOOL,
    "RETRIEVER": RunKind.RETRIEVER,
    "EMBEDDING": RunKind.EMBEDDING,
    "EVALUATOR": "evaluator",
    "GUARDRAIL": "guardrail",
    # What these are, their attributes may know better.
    "SPAN": None,
    "EVENT": None,
    "AGENT": RunKind.CHAIN,
    "CHAIN": RunKind.CHAIN,
}
_MAPPED = frozenset(
    {"id", "traceId", "parentObservationId", "type", "name", "startTime", "endTime", "level", "statusMessage"}
    | {"input", "output", "model", "providedModelName", "modelParameters", "metadata", "usage", "usageDetails"}
    | {"inputUsage", "outputUsage", "totalUsage", "promptTokens", "completionTokens", "totalTokens"}
    # Derived from the input and the output.
    | {"toolDefinitions", "toolCalls", "toolCallNames", "latency"}
)
# Langfuse's own bookkeeping says nothing of what the agent did: not read, and not counted.
_BOOKKEEPING = frozenset(
    {"projectId", "createdAt", "updatedAt", "environment", "internalModelId", "internalModel", "modelId", "bookmarked"}
    | {"public", "htmlPath", "usagePricingTierId", "usagePricingTierName", "costDetails", "providedCostDetails"}
    | {"inputCost", "outputCost", "totalCost", "calculatedInputCost", "calculatedOutputCost", "calculatedTotalCost"}
    | {
        "scope",
        "resourceAttributes",
        "inputPrice",
        "outputPrice",
        "totalPrice",
        "unit",
        "observations",
        "timestamp",
        "externalId",
    }
)
_TRACE_MAPPED = frozenset({"id", "name", "input", "output", "metadata", "tags", "latency"})
_SNAKE = re.compile(r"_([a-z])")
_NOTHING: tuple[object, ...] = (None, "", [], {})


def is_observation(value: object) -> bool:
    """Tell whether a JSON value is one observation."""
    if not isinstance(value, Mapping):
        return False
    is_typed = str(value.get("type")).upper() in _TYPES
    return is_typed and "id" in value and {"startTime", "traceId"} <= {_camel(key) for key in value}


def is_trace(value: object) -> bool:
    """Tell whether a JSON value is a trace, alone or around its observations."""
    if not isinstance(value, Mapping):
        return False
    inner = value.get("trace")
    return "observations" in value and ("id" in value or isinstance(inner, Mapping))


class Observations:
    """Collects the observations of one trace."""

    what = "observations of Langfuse"

    def __init__(self, source: str) -> None:
        self._source = source
        self._records: dict[str, Mapping[str, Any]] = {}
        self._traces: dict[str, Mapping[str, Any]] = {}
        self._fields = Tally("Fields and attributes that a run has no place for, kept as its metadata")
        self._trace_fields = Tally("Fields of the trace that are not read")
        self._others = Tally("Records that are no observations, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is an observation, or a trace around some."""
        return is_observation(record) or is_trace(record)

    def add(self, record: object) -> bool:
        """Add an observation, a trace, or something else, which is counted."""
        is_known = isinstance(record, Mapping) and self.recognises(record)
        self._others.add(1, () if is_known else [described(record)])
        if not isinstance(record, Mapping) or not is_known:
            return False
        if is_observation(record):
            record = {_camel(key): item for key, item in record.items()}
            # An export may hold them twice, the second time without their metadata.
            known = self._records.get(str(record["id"]), {})
            self._records[str(record["id"])] = {**record, **{key: item for key, item in known.items() if item}}
            return True
        inner = record.get("trace")
        trace = inner if isinstance(inner, Mapping) else record
        self._traces[str(trace.get("id"))] = trace
        for observation in (*_listed(trace.get("observations")), *_listed(record.get("observations"))):
            self.add(observation)
        return True

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: There is no observation, or parents form a cycle.
        """
        if not self._records:
            msg = f"{self._source}: the Langfuse trace has no observations in it; export it with them."
            raise TraceError(msg)
        runs = in_order([self._run(run_id, record) for run_id, record in self._records.items()], source=self._source)
        about = next(iter(self._traces.values()), {})
        runs = _completed(runs, about)
        return Trace(
            id=str(about.get("id") or _trace_id(next(iter(self._records.values())))),
            name=str(about.get("name") or runs[0].name),
            runs=runs,
            source=self._source,
            format="langfuse",
            notes=tuple(self._notes(runs)),
        )

    def _notes(self, runs: tuple[Run, ...]) -> Iterator[str]:
        yield from tree_notes(runs, {_trace_id(record) for record in self._records.values()})
        for about in self._traces.values():
            told = [key for key, value in about.items() if value not in _NOTHING and key not in _BOOKKEEPING]
            self._trace_fields.add(len(told), [key for key in told if key not in _TRACE_MAPPED])
        for tally in (self._fields, self._trace_fields, self._others):
            yield from tally.notes()

    def _run(self, run_id: str, record: Mapping[str, Any]) -> Run:
        about = mapping(decoded(record.get("metadata")))
        attributes = Attributes({**mapping(decoded(about.get("attributes"))), **_spelt(record)})
        beside = {key: value for key, value in about.items() if key != "attributes" and value not in _NOTHING}
        total = len(attributes.left) + len(beside.keys() - _BOOKKEEPING)
        fields = {key for key, value in record.items() if value not in _NOTHING and key not in _BOOKKEEPING}
        contents = contents_of(attributes, kind=_kind(record))
        left = {**beside, **attributes.left, **{key: record[key] for key in sorted(fields - _MAPPED)}}
        self._fields.add(total + len(fields), [key for key in left if key not in _BOOKKEEPING])
        ended = timestamp(record.get("endTime"))
        return Run(
            id=run_id,
            name=contents.name or str(record.get("name") or record["type"]),
            kind=contents.kind,
            parent_id=_parent_id(record),
            inputs=contents.inputs,
            outputs=contents.outputs,
            error=_error(record),
            is_pending=ended is None and str(record.get("type")).upper() != "EVENT",
            started_at=timestamp(record.get("startTime")),
            ended_at=ended,
            metadata=left,
            settings=contents.settings,
            usage=contents.usage or _usage(record),
        )


def _completed(runs: tuple[Run, ...], about: Mapping[str, Any]) -> tuple[Run, ...]:
    """Return the runs, their root with what only the trace says: inputs, outputs and tags."""
    roots = [run for run in runs if run.parent_id is None] or list(runs[:1])
    known: dict[str, dict[str, object]] = {}
    if roots[0].inputs is None:
        known.setdefault(roots[0].id, {})["inputs"] = decoded(about.get("input"))
    if roots[-1].outputs is None and roots[-1].error is None:
        known.setdefault(roots[-1].id, {})["outputs"] = decoded(about.get("output"))
    tags = decoded(about.get("tags"))
    known.setdefault(roots[0].id, {})["tags"] = tuple(map(str, tags)) if isinstance(tags, list) else ()
    return tuple(run.model_copy(update=known[run.id]) if run.id in known else run for run in runs)


def _spelt(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an observation says of its values as the attributes that Langfuse's own tracer writes."""
    parameters = mapping(decoded(record.get("modelParameters")))
    spelt = {
        "langfuse.observation.input": _with_tool_roles(decoded(record.get("input"))),
        "langfuse.observation.output": record.get("output"),
        "langfuse.observation.model.name": record.get("model") or record.get("providedModelName"),
        "langfuse.observation.model.parameters": {key: value for key, value in parameters.items() if value != "null"},
    }
    return {name: value for name, value in spelt.items() if value not in _NOTHING}


def _with_tool_roles(value: Json) -> Json:
    """Return messages with the role of tools, for which Langfuse's JavaScript tracer has their names."""
    if not isinstance(value, list):
        return value
    called = {call.name for message in messages.read(value).messages for call in message.tool_calls}
    return [
        {**item, "role": "tool", "name": item["role"]}
        if isinstance(item, dict) and item.get("role") in called
        else item
        for item in value
    ]


def _kind(record: Mapping[str, Any]) -> str | None:
    kind = _TYPES.get(str(record["type"]).upper())
    return RunKind.TOOL if kind is None and _is_what_a_tool_gave(record) else kind


def _is_what_a_tool_gave(record: Mapping[str, Any]) -> bool:
    """Tell whether the output is nothing but a tool's message of this name, as LangChain's tools have it."""
    output = decoded(record.get("output"))
    found = messages.parse(output) if isinstance(output, Mapping) else None
    return bool(found) and found is not None and found[0].role == "tool" and found[0].name == record.get("name")


def _error(record: Mapping[str, Any]) -> str | None:
    if record.get("level") != "ERROR":
        return None
    said = record.get("statusMessage")
    return str(said) if said else "The observation is marked as failed, without a message."


def _usage(record: Mapping[str, Any]) -> dict[str, int]:
    flat = {name: record.get(f"{name}Usage") for name in ("input", "output", "total")}
    # In an observation itself, input and output are no counts.
    older = {**record, "input": None, "output": None}
    sources = (mapping(decoded(record.get("usageDetails"))), mapping(decoded(record.get("usage"))), flat, older)
    counts = (token_counts(source) for source in sources)
    return next((found for found in counts if any(found.values())), {})


def _parent_id(record: Mapping[str, Any]) -> str | None:
    parent = record.get("parentObservationId")
    return str(parent) if parent else None


def _trace_id(record: Mapping[str, Any]) -> str:
    return str(record.get("traceId") or "")


def _camel(key: object) -> str:
    """Return the API's name of a field; exports to files write ``trace_id`` for ``traceId``."""
    return _SNAKE.sub(lambda match: match[1].upper(), str(key))


def _listed(value: Json) -> list[Json]:
    found = decoded(value)
    return found if isinstance(found, list) else []
