"""What loads from files of other formats, beside a plain count over the raw JSON.

The plain count knows nothing of the loaders: it walks the JSON, decodes the JSON that stands in texts, and counts
what calls itself a span, a tool, an error, a text, a call.

``python -m benchmarks.formats --data ../shared/data`` prints the table and writes it to
``benchmarks/results/formats.{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from pytest_refinery.errors import TraceError
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Message, Run, RunKind, Trace
from tests.unit.sources.formats.opening_hours import SAMPLES

RESULTS = Path(__file__).parent / "results"
FOLDERS = ("anyagent-otel", "strands-otel", "langfuse", "langsmith_sdk_runs")
_COUNTED = re.compile(r": (\d+) of (\d+) \(")
_FLAT_CALL = re.compile(r"(.*tool_calls\.\d+\.tool_call)\.function\.name$")
_TOOL_WORDS = frozenset({"TOOL", "tool", "execute_tool"})
_KIND_KEYS = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind")
_SHORTEST = 3
_REPEATS = (100, 1_000)
_NO_TRACES = frozenset({"README.md", "LICENSE"})
_ARGUMENT_KEYS = ("arguments", "args", "tool.args", "input")


@dataclass(frozen=True)
class Counts:
    """What one file holds; ``calls`` are distinct by name and arguments, ``texts`` of three words or more distinct."""

    runs: int
    tools: int
    errors: int
    texts: int
    calls: int


@dataclass(frozen=True)
class Loaded:
    """One file as it loads, and as it counts.

    Attributes:
        messages: Distinct messages, by role, text and calls.
        left_out: Under which keys texts stand that no run has, each with how many there are.
        unmapped: Share of attributes, fields and records that a run has no place for.
        refused: What the file is refused with, instead of everything else.
    """

    file: str
    format: str = ""
    counts: Counts | None = None
    plain: Counts | None = None
    messages: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    unmapped: float = 0.0
    refused: str = ""


def main() -> None:
    """Load, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    loaded = [measured(path, data) for path in files(data)]
    loads = [*speeds()]
    print(page(loaded, loads))
    figures = {
        "machine": machine.describe(),
        "files": [asdict(each) for each in loaded],
        "loads": [asdict(each) for each in loads],
    }
    RESULTS.joinpath("formats.json").write_text(json.dumps(figures, indent=2) + "\n")
    RESULTS.joinpath("formats.md").write_text(page(loaded, loads))


def files(data: Path) -> list[Path]:
    """Return the files that are to load."""
    return sorted(path for folder in FOLDERS for path in data.glob(f"{folder}/*") if path.name not in _NO_TRACES)


def measured(path: Path, data: Path) -> Loaded:
    """Return what is in one file."""
    name = path.relative_to(data).as_posix()
    try:
        trace = JsonFiles().load(path.name, base=path.parent)
    except TraceError as error:
        return Loaded(name, refused=str(error).removeprefix(f"{path}: "))
    raw = json.loads(path.read_text(encoding="utf-8"))
    found = {text: key for key, text in texts(raw)}
    said = "\n".join(_fold(text) for run in trace.runs for text in _leaves([*_said(run), *run.settings.values()]))
    left_out = {text: key for text, key in found.items() if text not in said}
    unread, total = _unmapped(trace)
    return Loaded(
        file=name,
        format=trace.format,
        counts=counted(trace, texts=len(found) - len(left_out)),
        plain=plainly(raw, path.parent.name),
        messages=len({(m.role, m.text, str(m.tool_calls)) for m in _messages(trace)}),
        left_out=dict(Counter(left_out.values())),
        unmapped=round(unread / total, 3) if total else 0.0,
    )


def counted(trace: Trace, *, texts: int) -> Counts:
    """Return the counts of a loaded trace."""
    calls = {(call.name, _canonical(call.arguments)) for message in _messages(trace) for call in message.tool_calls}
    return Counts(
        runs=len(trace.runs),
        tools=sum(run.kind == RunKind.TOOL for run in trace.runs),
        errors=sum(run.error is not None for run in trace.runs),
        texts=texts,
        calls=len(calls),
    )


def plainly(raw: Any, folder: str) -> Counts:  # noqa: ANN401  (any JSON)
    """Return the counts of the raw JSON."""
    records = list(_records(raw))
    is_codex = folder == "strands-otel" and isinstance(raw, Mapping)
    runs, tools = _turns(records) if is_codex else (len(records), sum(map(_is_tool, records)))
    return Counts(
        runs=runs,
        tools=tools,
        errors=sum(map(_has_failed, records)),
        texts=len({text for _, text in texts(raw)}),
        calls=len(set(requested_calls(raw))),
    )


def texts(raw: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of three words or more, white space folded, with the key that it stands under."""
    value = _decoded(raw)
    if isinstance(value, str):
        if len(value.split()) >= _SHORTEST:
            yield key, _fold(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from texts(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, key)


def requested_calls(raw: object) -> Iterator[tuple[str, str]]:
    """Yield name and arguments of each call that a model asked for."""
    value = _decoded(raw)
    if isinstance(value, Mapping):
        yield from _calls_of(value)
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from requested_calls(item)


def _calls_of(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in value:
        if found := _FLAT_CALL.match(str(name)):
            yield str(value[name]), _canonical(value.get(f"{found[1]}.function.arguments", {}))
    if value.get("type") == "command_execution":
        yield "command_execution", _canonical({"command": value["command"]})
    if "thought" in value and "tool.name" in value and value.get("tool.parameters") != "null":
        yield str(value["tool.name"]), _canonical(value["tool.parameters"])
    named = value.get("name") or value.get("tool.name")
    arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), None)
    is_record = "run_type" in value or "projectId" in value
    if isinstance(named, str) and arguments is not None and not is_record:
        yield named, _canonical(arguments)


def _records(raw: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  (any JSON)
    """Yield the records of a file, each id once."""
    lists = [raw] if isinstance(raw, list) else [raw.get(key) for key in ("spans", "observations", "post", "patch")]
    lists += [] if isinstance(raw, list) else [raw.get("items"), raw.get("events")]
    found: dict[str, Mapping[str, Any]] = {}
    for number, record in enumerate(record for records in lists for record in records or ()):
        context = record.get("context", {})
        key = record.get("span_id") or context.get("span_id") or record.get("id") or number
        found[str(_id_of_patch(record, found) or key)] = record
    yield from found.values()


def _id_of_patch(record: Mapping[str, Any], known: Mapping[str, Any]) -> str | None:
    """Return the run that a patch without an id closes: the one that its dotted order ends in."""
    order = str(record.get("dotted_order", ""))
    return next((key for key in known if order.endswith(key)), None) if order else None


def _attributes(record: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = _decoded(record.get("metadata"))
    inner = metadata.get("attributes") if isinstance(metadata, Mapping) else None
    found = record.get("attributes") or _decoded(inner)
    return found if isinstance(found, Mapping) else {}


def _is_tool(record: Mapping[str, Any]) -> bool:
    attributes = _attributes(record)
    said = next((attributes[key] for key in _KIND_KEYS if key in attributes), None)
    output = _decoded(record.get("output"))
    is_tool_message = isinstance(output, Mapping) and output.get("id", [""])[-1] == "ToolMessage"
    return record.get("type") == "TOOL" or said in _TOOL_WORDS or is_tool_message


def _has_failed(record: Mapping[str, Any]) -> bool:
    status = record.get("status")
    code = status.get("code", status.get("status_code")) if isinstance(status, Mapping) else None
    return str(code).upper() == "ERROR" or record.get("level") == "ERROR" or bool(record.get("error"))


def _turns(records: list[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the runs and tools of a Codex session: itself, each call, each time the model spoke between answers."""
    calls, turns, is_speaking = set(), 0, False
    for record in records:
        item = record.get("item", record)
        is_answer = item["type"].endswith("_output") or (item["type"] == "command_execution" and item["exit_code"] == 0)
        turns += not is_answer and not is_speaking
        is_speaking = not is_answer
        if item["type"] not in {"agent_message", "reasoning"}:
            calls.add(item.get("call_id") or item["id"])
    return 1 + turns + len(calls), len(calls)


def _unmapped(trace: Trace) -> tuple[int, int]:
    found = [match for note in trace.notes if (match := _COUNTED.search(note))]
    return sum(int(match[1]) for match in found), sum(int(match[2]) for match in found)


def _said(run: Run) -> list[object]:
    return [run.name, run.inputs, run.outputs, run.error]


def _messages(trace: Trace) -> Iterator[Message]:
    for run in trace.runs:
        yield from messages.read([run.inputs, run.outputs]).messages


def _decoded(value: object) -> object:
    while isinstance(value, str) and value.lstrip().startswith(("{", "[", '"')):
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        if not isinstance(inner, Mapping | list | str):
            return value
        value = inner
    return value


def _canonical(arguments: object) -> str:
    return json.dumps(_decoded(arguments), sort_keys=True, default=str)


def _leaves(value: object) -> Iterator[str]:
    value = _decoded(value)
    if isinstance(value, str):
        yield value
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for member in members:
        yield from _leaves(member)


def _fold(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class Load:
    """How long conversations of two lengths take to load; times are the processor's."""

    sample: str
    runs: int
    seconds: float
    more_runs: int
    more_seconds: float


def speeds() -> Iterator[Load]:
    """Load each sample of the tests that is a list of messages, many times one after the other."""
    for name, (_, make) in SAMPLES.items():
        content = make(False)  # noqa: FBT003  (a sample of a call that succeeds)
        if isinstance(content, list):
            try:
                (runs, seconds), (more_runs, more_seconds) = (_timed(content * count) for count in _REPEATS)
            except TraceError:
                # Spans and runs, whose ids may not repeat.
                continue
            if more_runs > 5 * runs:
                yield Load(name, runs, seconds, more_runs, more_seconds)


def _timed(content: list[Any]) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "trace.json").write_text(json.dumps(content), encoding="utf-8")
        began = time.process_time()
        trace = JsonFiles().load("trace.json", base=Path(folder))
        return len(trace.runs), time.process_time() - began


def page(loaded: list[Loaded], loads: list[Load]) -> str:
    """Return the tables as a Markdown page."""
    rows = "\n".join(_row(each) for each in loaded)
    times = "\n".join(
        f"| {each.sample} | {each.runs:,} | {each.seconds:.2f} | {each.more_runs:,} | {each.more_seconds:.2f} | "
        f"{1e6 * each.more_seconds / each.more_runs:,.0f} |"
        for each in loads
    )
    return f"""\
# Formats: what loads, beside a plain count

| file | format | runs | tools | errors | messages | calls | texts | left out | unmapped |
|---|---|---|---|---|---|---|---|---|---|
{rows}

{_WHY}
## How long long conversations take

One conversation of the tests' samples again and again, in seconds of the processor, and in microseconds a run.

| sample | runs | s | runs | s | µs a run |
|---|---|---|---|---|---|
{times}

Again with `python -m benchmarks.formats`.
"""


_WHY = """\
What each number is, and what it should be. Where the loaded trace and the plain count over the raw JSON differ, the
plain count stands in brackets.

- **runs**: as many as the file has spans, observations or distinct run ids. A Codex session has no spans: one run for
  the session, one for each time that the model speaks between answers, one for each call.
- **tools**: the records that call themselves tools (`execute_tool`, `TOOL`, `tool`), and in Langfuse those whose output
  is a LangChain `ToolMessage`. BeeAI notes start, finish and success of one call as three tool spans: they stay three.
- **errors**: records with the status or level of an error.
- **messages**: distinct by role, text and calls. There is no plain count: the same message stands in a file in two or
  three serialisations, and telling them apart is what loading is. Texts and calls are counted instead.
- **calls**: distinct calls that a model asked for, by name and arguments. Autogen's spans name their tool, not what it
  was called with.
- **texts**: every distinct text of three words or more, anywhere in the file, that stands in a run's name, inputs,
  outputs, error or settings.
- **left out**: the texts that do not, with the keys that they stand under. They are descriptions of tools whose schema
  the trace has no list of, viewers' headings (`logfire.msg`), the scores that people gave in Langfuse (`comment`), a
  Python signature (`signature`), and what is a Python object's `repr` of messages that stand beside it (`history`,
  `messages`, `raw`). All of them but scores and reprs are kept as metadata.
- **unmapped**: the share of attributes, fields and records that a run has no place for, as the trace's notes say it.
  Identifiers of sessions, agents and responses, costs, and where the program ran: most on AWS (`aws.*`, `http.*` of
  three web requests) and in Autogen, whose spans say little else.
- Files that are refused are empty, or leave out what an agent is judged by.
"""


def _row(each: Loaded) -> str:
    if each.counts is None or each.plain is None:
        return f"| {each.file} | refused: {each.refused} | | | | | | | | |"
    pairs = zip(asdict(each.counts).values(), asdict(each.plain).values(), strict=True)
    runs, tools, errors, found, calls = (f"{has}" if has == should else f"{has} ({should})" for has, should in pairs)
    left_out = ", ".join(f"{number} `{key}`" for key, number in each.left_out.items())
    cells = (each.file, each.format, runs, tools, errors, each.messages, calls, found, left_out, f"{each.unmapped:.0%}")
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
