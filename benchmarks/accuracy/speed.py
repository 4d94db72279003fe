"""Measures how long the rules take for large traces.

``python -m benchmarks.accuracy.speed --data ../shared/data`` diagnoses a trace of 163 runs, and one whose prompts
carry the whole history as text, again and again, 3.3 MB in all. ``--write`` writes the figures to a page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import big_traces, machine
from benchmarks.accuracy.labelled import failures
from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Case
from pytest_refinery.expectations.checks import Check
from pytest_refinery.settings import Settings
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import prompts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.traces.model import Trace

RESULTS = Path(__file__).parents[1] / "results"
RUNS = 163
BYTES = 3_300_000
_CHECKS = ({"output": {"contains": "a word that nobody said"}}, {"tools": {"called": "a_tool_that_nobody_called"}})


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds langsmith_tau")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    models = sorted((chosen.data / "langsmith_tau" / "nested").glob("*.json.gz"))
    text = page([(name, trace, measured(trace, chosen.times)) for name, trace in _traces(models)])
    print(text)
    if chosen.write:
        RESULTS.joinpath("accuracy-speed.md").write_text(text, encoding="utf-8")


def _traces(models: Sequence[Path]) -> Iterator[tuple[str, Trace]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        big_traces.write(path, runs=RUNS, models=list(models))
        yield f"{RUNS} runs", JsonFiles().load(path.name, base=path.parent)
        for title, is_one_line in (("in lines", False), ("as one line of JSON", True)):
            path.write_text(json.dumps(rendered_history(is_one_line=is_one_line)), encoding="utf-8")
            yield f"{BYTES / 1e6:.1f} MB of history, {title}", JsonFiles().load(path.name, base=path.parent)


def rendered_history(size: int = BYTES, *, is_one_line: bool = False) -> list[dict[str, Any]]:
    """Return a LangSmith export whose every prompt holds all that was said before, as text."""
    root = {"id": "root", "trace_id": "root", "name": "assistant", "run_type": "chain", "inputs": {}, "outputs": {}}
    records, history, written = [root], "You help customers of a parcel service. This is the conversation so far.\n", 0
    while written < size:
        number = len(records)
        history += _exchange(number)
        shown = json.dumps(history.splitlines()) if is_one_line else history
        answer = f"Parcel P-{7000 + number} weighs {number + 0.5} kg and arrives on day {number}."
        written += len(history)
        records.append(
            {
                "id": f"run-{number}",
                "trace_id": "root",
                "parent_run_id": "root",
                "name": "model",
                "run_type": "llm",
                "start_time": f"2026-03-02T09:{number // 60:02}:{number % 60:02}Z",
                "inputs": {"prompt": f"{shown}Step {number}. Answer the last question."},
                "outputs": {"generations": [[{"text": answer}]]},
            }
        )
        history += f"Assistant: {answer}\n"
    return records


def _exchange(number: int) -> str:
    record = {"parcel": f"P-{7000 + number}", "weight": number + 0.5, "status": "on its way", "depot": f"D{number % 9}"}
    return f"Customer: where is parcel P-{7000 + number}, and what does it weigh?\nRecord: {json.dumps(record)}\n"


def measured(trace: Trace, times: int) -> float:
    """Return the median seconds of CPU of a diagnosis."""
    checks = tuple(map(Check.model_validate, _CHECKS))
    taken = []
    for _ in range(times):
        case = Case(trace, "The agent answers.", failures=failures(checks, trace), prompts=prompts.extract(trace))
        engine = wiring.build(Settings(analyst="builtin")).engine
        before = time.process_time()
        engine.diagnose(case)
        taken.append(time.process_time() - before)
    return median(taken)


def page(rows: Sequence[tuple[str, Trace, float]]) -> str:
    """Return the figures as a page of Markdown."""
    lines = [f"| {name} | {len(trace.runs)} | {seconds:.2f} |" for name, trace, seconds in rows]
    return "\n".join(
        [
            "# How long a diagnosis by the rules takes",
            "",
            f"Median seconds of CPU of one diagnosis, the trace already loaded. {machine.sentence()}.",
            "",
            "| trace | runs | seconds |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
