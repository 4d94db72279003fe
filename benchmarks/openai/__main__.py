"""Diagnose traces of several sizes against the loopback service, which enforces its limit, and write the figures.

``python -m benchmarks.openai --data ../shared/data`` takes about 20 minutes, most of them waiting for real minutes to
pass, and writes ``benchmarks/results/openai.{json,md}``. The model behind the service reads what it is shown and looks
for markers in it: its answers are short, so that the figures are those of what is sent.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks import big_traces, machine
from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Case
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.settings import Settings
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import prompts
from tests.openai_server import OpenAIServer, RunReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.traces.model import Trace

RESULTS = Path(__file__).parents[1] / "results"
LIMIT = 30_000
SIZES = (7, 14, 35, 163)
PLAN: dict[str, Any] = {"group_size_runs": 6, "context": "file_search"}
WAYS: dict[str, dict[str, Any]] = {"groups of 6, file_search": PLAN, "defaults": {}}
MODELS: tuple[Literal["sliding", "bucket"], ...] = ("sliding", "bucket")
EXPECT = "The agent makes sure who it talks to before it says anything about an order."
WAS = "It spoke about the order at once."
_TIMEOUT = 1_800.0


@dataclass(frozen=True)
class Measured:
    """One diagnosis.

    Attributes:
        least: The least seconds in which so many tokens pass the limit.
    """

    runs: int
    settings: str
    limiter: str
    groups: int
    calls: int
    tokens: int
    seconds: float
    waited: float
    least: float
    refusals: int
    coverage: float


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds langsmith_tau")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="runs of each trace")
    asked = parser.parse_args()
    os.environ |= {"OPENAI_API_KEY": "benchmark"}
    measured = []
    for row in all_rows(asked.data.resolve(), asked.sizes):
        print(row, flush=True)
        measured.append(row)
    print(page(measured))
    figures = {"machine": machine.describe(), "limit": LIMIT, "rows": [asdict(row) for row in measured]}
    RESULTS.joinpath("openai.json").write_text(json.dumps(figures, indent=2) + "\n")
    RESULTS.joinpath("openai.md").write_text(page(measured))


def all_rows(data: Path, sizes: Sequence[int]) -> Iterator[Measured]:
    """Measure every size with the plan's settings and with the defaults, at both kinds of limit."""
    for size in sizes:
        trace = trace_of(size, sorted((data / "langsmith_tau" / "nested").glob("*.json.gz")))
        for limiter in MODELS:
            for name, chosen in WAYS.items():
                yield measure(trace, name, Settings(timeout=_TIMEOUT, tpm=LIMIT, tpm_model=limiter, **chosen))


def trace_of(runs: int, files: list[Path]) -> Trace:
    """Return the first runs of a real trace, or as many of several as there are in none."""
    for file in files:
        trace = JsonFiles().load(file.name, base=file.parent)
        if len(trace.runs) >= runs:
            return _cut(trace, runs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        big_traces.write(path, runs=runs, models=files)
        return JsonFiles().load(path.name, base=path.parent)


def _cut(trace: Trace, runs: int) -> Trace:
    """Return a trace as it was when so many of its runs had begun: what was still open then had given nothing out."""
    still_open = {ancestor.id for run in trace.runs[runs:] for ancestor in trace.ancestors(run)}
    kept = (
        run.model_copy(update={"outputs": None, "ended_at": None}) if run.id in still_open else run
        for run in trace.runs[:runs]
    )
    return trace.model_copy(update={"runs": tuple(kept)})


def measure(trace: Trace, name: str, settings: Settings) -> Measured:
    """Diagnose a trace once, with nothing known from before."""
    case = Case(
        trace=trace,
        expect=EXPECT,
        failures=(CheckFailure(check="assertion", expected=EXPECT, actual=WAS),),
        prompts=prompts.extract(trace),
    )
    brain = RunReader(markers=(r"(?i)not found", r"(?i)\berror\b"))
    limiter: Literal["bucket", "sliding"] = "bucket" if settings.tpm_model == "bucket" else "sliding"
    with (
        tempfile.TemporaryDirectory() as cache,
        OpenAIServer(tpm=LIMIT, tpm_model=limiter, brain=brain, latency_seconds=0.05) as server,
    ):
        os.environ |= {"OPENAI_BASE_URL": server.base_url, "XDG_CACHE_HOME": cache}
        engine = wiring.build(replace(settings, analyst="openai")).engine
        started = time.perf_counter()
        found = engine.diagnose(case)
        seconds = time.perf_counter() - started
        return _row(found, server, name=name, limiter=limiter, seconds=seconds)


def _least(tokens: int, limiter: str) -> float:
    """Return the least seconds in which so many tokens pass the limit."""
    minutes = tokens / LIMIT if limiter == "bucket" else math.ceil(tokens / LIMIT)
    return round(max(0.0, 60 * (minutes - 1)), 1)


def _row(found: Diagnosis, server: OpenAIServer, *, name: str, limiter: str, seconds: float) -> Measured:
    tokens = server.tokens_used
    responses = server.requests("POST", "/responses")
    return Measured(
        runs=found.coverage.runs_total,
        settings=name,
        limiter=limiter,
        groups=sum(each.body["text"]["format"]["name"] == "GroupAnswer" for each in responses),
        calls=len(responses),
        tokens=tokens,
        seconds=round(seconds, 1),
        waited=round(sum(stage.seconds_waited for stage in found.stages), 1),
        least=_least(tokens, limiter),
        refusals=len(server.refusals),
        coverage=found.coverage.percentage,
    )


def page(measured: Sequence[Measured]) -> str:
    """Return the figures as a Markdown page."""
    rows = "\n".join(
        f"| {row.runs} | {row.settings} | {row.limiter} | {row.groups} | {row.calls} | {row.tokens:,} | {row.seconds} "
        f"| {row.least} | {row.waited} | {row.refusals} | {row.coverage:g} % |"
        for row in measured
    )
    return f"""\
# OpenAI: what a diagnosis costs

Traces cut from real nested LangSmith ones, the largest put together from several, against a service on this machine
that enforces {LIMIT:,} tokens per minute. `least` is the least time in which so many tokens pass the limit, `waited`
the time in which calls waited for it. The model's answers are short.

| runs | settings | limit | stage-1 calls | calls | tokens | seconds | least | waited | refusals | coverage |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

Measured on: {machine.sentence()}. Again with `python -m benchmarks.openai --data ../shared/data`.
"""


if __name__ == "__main__":
    main()
