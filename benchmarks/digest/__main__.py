"""Tokens of real traces: plain, each run as indented JSON in groups of six, against their digest.

``python -m benchmarks.digest --data ../shared/data`` counts with o200k and writes
``benchmarks/results/digest.{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rs_bpe.bpe import openai

from benchmarks import machine
from pytest_refinery.digest.render import digest
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Run, Trace

RESULTS = Path(__file__).parent.parent / "results"
FOLDERS = {
    "LangSmith, nested": "langsmith_tau/nested/*.json.gz",
    "LangSmith, single turns": "langsmith_tau/turns/*.json.gz",
    "LangSmith, one call": "langsmith_sdk_runs/*.json",
    "Chat transcripts": "who_and_when/*/*.json",
}
BOUNDS = {"LangSmith, nested": {"median": 8_500, "p90": 13_500}}
RUNS_IN_A_GROUP = 6
_O200K = openai.o200k_base()


@dataclass(frozen=True)
class Counted:
    """One trace: its tokens, and what its digest leaves out."""

    plain: int
    digested: int
    estimated: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Spread:
    """Tokens over the traces of a folder."""

    median: int
    p90: int
    max: int


@dataclass(frozen=True)
class Row:
    """One folder: ``ratio`` is the median of plain by digested, ``errors`` the least and the most of the estimate's."""

    traces: int
    plain: Spread
    digested: Spread
    ratio: float
    errors: tuple[float, float]
    left_out: dict[str, int]


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    rows = {title: row([counted(path) for path in files(data, pattern)]) for title, pattern in FOLDERS.items()}
    print(page(rows))
    figures = {
        "unit": "o200k tokens",
        "bounds": BOUNDS,
        "folders": {title: asdict(each) for title, each in rows.items()},
    }
    RESULTS.joinpath("digest.json").write_text(json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n")
    RESULTS.joinpath("digest.md").write_text(page(rows))


def files(data: Path, pattern: str) -> list[Path]:
    """Return the traces that match; an empty file is none."""
    found = [path for path in sorted(data.glob(pattern)) if path.stat().st_size]
    if not found:
        sys.exit(f"{data}: no {pattern} in it; name the folder of real traces with --data.")
    return found


def counted(path: Path) -> Counted:
    """Return the tokens of the trace in ``path``."""
    trace = JsonFiles().load(path.name, base=path.parent)
    digested = digest(trace)
    left_out = digested.header.rpartition("Left out: ")[2].rstrip(".").split(", ")
    return Counted(
        plain=sum(_O200K.count(text) for text in plain_groups(trace)),
        digested=_O200K.count(digested.text),
        estimated=digested.tokens,
        left_out=tuple(left_out),
    )


def plain_groups(trace: Trace) -> Iterator[str]:
    """Yield the trace as it would be written without a digest."""
    for start in range(0, len(trace.runs), RUNS_IN_A_GROUP):
        yield "\n\n".join(plain(run) for run in trace.runs[start : start + RUNS_IN_A_GROUP])


def plain(run: Run) -> str:
    """Return a run as indented JSON."""
    shown = {"id": run.id, "name": run.name, "run_type": run.kind, "inputs": run.inputs, "outputs": run.outputs}
    return json.dumps({**shown, "error": run.error}, indent=2, ensure_ascii=False)


def row(traces: list[Counted]) -> Row:
    """Return the figures of one folder."""
    errors = sorted(trace.estimated / trace.digested - 1 for trace in traces)
    return Row(
        traces=len(traces),
        plain=spread([trace.plain for trace in traces]),
        digested=spread([trace.digested for trace in traces]),
        ratio=round(median(trace.plain / trace.digested for trace in traces), 1),
        errors=(round(errors[0], 3), round(errors[-1], 3)),
        left_out=dict(Counter(name for trace in traces for name in trace.left_out).most_common()),
    )


def spread(tokens: list[int]) -> Spread:
    """Return median, 90th percentile (the least value that nine in ten do not exceed) and maximum."""
    ordered = sorted(tokens)
    return Spread(median=round(median(ordered)), p90=ordered[-(-9 * len(ordered) // 10) - 1], max=ordered[-1])


def page(rows: dict[str, Row]) -> str:
    """Return the figures as a Markdown page."""
    table = "\n".join(
        f"| {title} | {each.traces} | {cells(each.plain)} | {cells(each.digested)} | {each.ratio} |"
        for title, each in rows.items()
    )
    bounds = "; ".join(f"{title}: median {b['median']:,}, p90 {b['p90']:,}" for title, b in BOUNDS.items())
    left_out = "\n".join(
        f"- {title}: {', '.join(f'{name} ({count})' for name, count in each.left_out.items())}"
        for title, each in rows.items()
    )
    least = min(each.errors[0] for each in rows.values())
    most = max(each.errors[1] for each in rows.values())
    return f"""\
# Digest: tokens of real traces

Tokens of o200k. Plain is each run as indented JSON of its inputs and outputs, in groups of {RUNS_IN_A_GROUP} runs. All
runs and every message's text are in the digest (`tests/unit/digest/test_real_traces.py` reads them back out of it).

| | traces | plain: median | p90 | max | digest: median | p90 | max | plain / digest |
|---|---|---|---|---|---|---|---|---|
{table}

Bounds: {bounds}. The digest's own estimate of its tokens is off by {least:+.1%} to {most:+.1%}.

What is left out, as the headers say it, and in how many traces:

{left_out}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.digest`.
"""


def cells(each: Spread) -> str:
    """Return three cells of the table."""
    return f"{each.median:,} | {each.p90:,} | {each.max:,}"


if __name__ == "__main__":
    main()
