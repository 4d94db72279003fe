"""How fast the page of a report opens, and how long a run's end takes with it.

``python -m benchmarks.page --data ../shared/data`` opens the page about a trace of 1,000 runs in Chromium, ends runs of
500 failed expectations, and writes ``benchmarks/results/page.{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from benchmarks import big_traces, machine

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RESULTS = Path(__file__).parent / "results"
RUNS, ITEMS = 1_000, 500
MOST_TO_OPEN, MOST_TO_END = 2.0, 1.0
OPENINGS = 9
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

# Resolves when all rows of a list are there and have been painted; says when, in ms since navigation began.
_PAINTED = """
([rows, count]) => new Promise(done => {
  const look = () => document.querySelectorAll(rows).length < count
    ? setTimeout(look, 1)
    : requestAnimationFrame(() => setTimeout(() => done(performance.now())));
  look();
})
"""
# Scrolls to the end, a screen at a time, and says how long the slowest frame took, in ms.
_SCROLLED = """
rows => new Promise(done => {
  const own = document.querySelector(rows).parentElement;
  const list = own.scrollHeight > own.clientHeight + 1 ? own : document.scrollingElement;
  let [slowest, before] = [0, performance.now()];
  const frame = () => {
    slowest = Math.max(slowest, performance.now() - before);
    if (list.scrollTop + list.clientHeight >= list.scrollHeight - 1) return done(slowest);
    list.scrollTop += list.clientHeight;
    before = performance.now();
    requestAnimationFrame(() => setTimeout(frame));
  };
  frame();
})
"""
# Times what the controller does when the last item has ended.
_STOPWATCH = """
import json, pathlib, time, pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    before = (time.perf_counter(), time.process_time())
    # pytest prints the summary of a session inside of this hook.
    result = yield
    taken = {"seconds": time.perf_counter() - before[0], "cpu": time.process_time() - before[1]}
    pathlib.Path("taken.json").write_text(json.dumps(taken))
    return result
"""


@dataclass(frozen=True)
class Opened:
    """Opening a page at a list: kB, and seconds until all of it was painted; milliseconds of a frame."""

    shown: str
    kilobytes: int
    least_seconds: float
    median_seconds: float
    most_seconds: float
    slowest_frame_ms: float


@dataclass(frozen=True)
class Ended:
    """The end of a run on the controller, and what it wrote."""

    items: int
    traces: int
    seconds: float
    cpu_seconds: float
    kilobytes: int


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    models = sorted(parser.parse_args().data.glob("langsmith_tau/nested/*.json.gz"))
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not models or browser is None:
        sys.exit("Needs Chromium, and langsmith_tau/nested/*.json.gz in the folder of real traces (--data).")
    with tempfile.TemporaryDirectory() as folder:
        opened, ended = measure(Path(folder), models, browser)
    print(page(opened, ended))
    figures = {"opened": [asdict(each) for each in opened], "ended": [asdict(each) for each in ended]}
    described = {**machine.describe(), "load": f"{os.getloadavg()[0]:.1f}"}
    RESULTS.joinpath("page.json").write_text(json.dumps({"machine": described, **figures}, indent=2) + "\n")
    RESULTS.joinpath("page.md").write_text(page(opened, ended))


def measure(folder: Path, models: list[Path], executable: str) -> tuple[list[Opened], list[Ended]]:
    """Return the figures of pages about one trace, and of runs of many items."""
    big = folder / "big.json"
    big_traces.write(big, runs=RUNS, models=models)
    largest = max(models, key=lambda path: path.stat().st_size)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_FLAGS])
        opened = [opening(browser, run(folder / path.name.partition(".")[0], [path])) for path in (largest, big)]
        ended = [ending(folder / "same", models), ending(folder / "own", varied(folder, models))]
        opened += [opening_list(browser, folder / name / "out") for name in ("same", "own")]
        browser.close()
    return opened, ended


def varied(folder: Path, models: list[Path]) -> list[Path]:
    """Return a trace for each item, of as many runs as real ones have."""
    paths = [folder / f"trace-{number}.json" for number in range(ITEMS)]
    for number, path in enumerate(paths):
        turned = models[number % len(models) :] + models[: number % len(models)]
        big_traces.write(path, runs=100, models=turned)
        path.write_text(path.read_text("utf-8").replace("session", f"session {number}"), encoding="utf-8")
    return paths


def run(folder: Path, traces: list[Path], items: int = 1) -> Path:
    """Let ``items`` expectations about ``traces`` fail, each with a diagnosis; return the folder of the report."""
    folder.mkdir()
    (folder / "conftest.py").write_text(_STOPWATCH, encoding="utf-8")
    written = [
        {"id": f"e{number}", "expect": "It keeps to its rules.", "checks": [{"runs": {"at_most": 0}}]}
        | {"trace": str(traces[number % len(traces)].resolve())}
        for number in range(items)
    ]
    # JSON is YAML.
    (folder / "all.refinery.yaml").write_text(json.dumps({"expectations": written}), encoding="utf-8")
    options = ("-ppytest_refinery.plugin", "-q", "--tb=no", "--refinery", "--refinery-report=out")
    command = [sys.executable, "-m", "pytest", *options]
    # Other plugins have ends of their own.
    environment = {**os.environ, "REFINERY_ANALYST": "builtin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if not (folder / "out" / "index.html").exists():
        sys.exit(said.stdout + said.stderr)
    return folder / "out"


def opening(browser: Browser, folder: Path) -> Opened:
    """Open the page at its one item, several times in a fresh window each."""
    runs = json.loads((folder / "report.json").read_text("utf-8"))["expectations"][0]["trace"]["runs"]
    path = folder / "index.html"
    taken = [_open(browser, f"{path.as_uri()}#item-all.refinery.yaml::e0", ".runs li", runs) for _ in range(OPENINGS)]
    return _opened(f"a trace of {runs:,} runs", path, taken)


def opening_list(browser: Browser, folder: Path) -> Opened:
    """Open the page at its list of items, several times in a fresh window each."""
    path = folder / "index.html"
    taken = [_open(browser, path.as_uri(), ".entries > li", ITEMS) for _ in range(OPENINGS)]
    return _opened(f"a list of {ITEMS:,} items", path, taken)


def _opened(shown: str, path: Path, taken: list[tuple[float, float]]) -> Opened:
    seconds = [painted / 1000 for painted, _ in taken]
    return Opened(
        shown=shown,
        kilobytes=round(path.stat().st_size / 1000),
        least_seconds=round(min(seconds), 2),
        median_seconds=round(median(seconds), 2),
        most_seconds=round(max(seconds), 2),
        slowest_frame_ms=round(median(frame for _, frame in taken)),
    )


def _open(browser: Browser, address: str, rows: str, count: int) -> tuple[float, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.goto(address)
    found: tuple[Any, Any] = (opened.evaluate(_PAINTED, [rows, count]), opened.evaluate(_SCROLLED, rows))
    context.close()
    return found


def ending(folder: Path, traces: list[Path]) -> Ended:
    """Run many items; return what their end took."""
    written = run(folder, traces, ITEMS)
    taken = json.loads((folder / "taken.json").read_text("utf-8"))
    return Ended(
        items=ITEMS,
        traces=len(traces),
        seconds=round(taken["seconds"], 2),
        cpu_seconds=round(taken["cpu"], 2),
        kilobytes=round((written / "index.html").stat().st_size / 1000),
    )


def page(opened: list[Opened], ended: list[Ended]) -> str:
    """Return the figures as a Markdown page."""
    openings = "\n".join(
        f"| {each.shown} | {each.kilobytes:,} | {each.least_seconds} | {each.median_seconds} | {each.most_seconds} "
        f"| {each.slowest_frame_ms} |"
        for each in opened
    )
    endings = "\n".join(
        f"| {each.items} | {each.traces} | {each.seconds} | {each.cpu_seconds} | {each.kilobytes:,} |" for each in ended
    )
    return f"""\
# The page of a report

Opening `index.html` from a file in headless Chromium without a graphics processor: seconds from the start of the
navigation until every row of the trace, or of the list of items, was built and painted, {OPENINGS} times in a fresh
window each (bound for 1,000 runs: {MOST_TO_OPEN:g} s). Then it is scrolled to its end, a screen at a time; the slowest
frame of that.

| opened at | page, kB | least, s | median, s | most, s | slowest frame, ms |
|---|---|---|---|---|---|
{openings}

The end of a run of failed expectations, each with a diagnosis by the builtin analyst: from the end of the last item to
the last line of the summary, pytest's own included, with `report.json`, `report.md` and `index.html` written (bound:
{MOST_TO_END:g} s). Seconds of the processor are what a machine takes that does nothing else; the load beside the number
of cores says how far this one was from that.

| failed items | distinct traces | s | s of the processor | page, kB |
|---|---|---|---|---|
{endings}

Measured on: {machine.sentence()}, load {os.getloadavg()[0]:.1f}. Again with `python -m benchmarks.page`.
"""


if __name__ == "__main__":
    main()
