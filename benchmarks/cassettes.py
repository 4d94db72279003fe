"""What a cassette costs, and whether threads that ask at once are each given their own answer.

``python -m benchmarks.cassettes`` writes ``benchmarks/results/cassettes.{json,md}``. Each exchange of the first two
parts is a request and an answer of 10 kB each, as prompts have them. The server is another process on this machine and
answers after a pause, as a service does; the client asks from 8 threads.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import httpx2

from benchmarks import machine
from pytest_refinery.cassettes.recorder import use
from pytest_refinery.scrubbing.scrubber import Scrubber
from tests.unit.cassettes.loopback import Said, Sent, loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

RESULTS = Path(__file__).parent / "results"
EXCHANGES, CHARACTERS, THREADS = 1_000, 10_000, 8
REPLAY_BOUND_SECONDS, RECORDING_BOUND_PERCENT = 3.0, 10.0
_WORDS = (
    "the agent said that it would keep your preferences (from now on) and the tool returned 42 rows: see a.md".split()
)


@dataclass(frozen=True)
class Replay:
    """Seconds that it takes to open a cassette and to ask for all that is in it, one request after the other."""

    exchanges: int
    megabytes: float
    seconds: list[float]
    cpu_seconds: list[float]
    bound: float = REPLAY_BOUND_SECONDS


@dataclass(frozen=True)
class Recording:
    """Seconds for the same requests sent without and with a recording, written to the disk included."""

    pause_ms: int
    live: list[float]
    recorded: list[float]
    added_percent: float
    added_cpu_ms_per_exchange: float
    bound: float = RECORDING_BOUND_PERCENT


@dataclass(frozen=True)
class Interleaving:
    """What became of requests that threads made at once, in random order."""

    repetitions: int
    threads: int
    requests: int
    swapped: int
    sent_in_none: int


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each arm")
    parser.add_argument("--repetitions", type=int, default=50, help="repetitions of the interleaved requests")
    parser.add_argument("--pauses", type=int, nargs="+", default=[100, 500], help="milliseconds a service takes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "item.yaml"
        recordings = [recording(path, pause, args.runs) for pause in args.pauses]
        replayed = replay(path, args.runs)
        interleaved = interleaving(Path(folder) / "threads.yaml", args.repetitions)
    figures = {
        "machine": {**machine.describe(), "load_average": round(os.getloadavg()[1], 1)},
        "replay": asdict(replayed),
        "recording": [asdict(each) for each in recordings],
        "interleaving": asdict(interleaved),
    }
    written = page(replayed, recordings, interleaved)
    print(written)
    RESULTS.joinpath("cassettes.json").write_text(json.dumps(figures, indent=2) + "\n")
    RESULTS.joinpath("cassettes.md").write_text(written)


def recording(path: Path, pause_ms: int, runs: int) -> Recording:
    """Return what recording adds to requests of ``pause_ms``, in turns without and with it."""
    live, recorded = [], []
    with _Service(pause_ms) as url:
        _ask_all(url, THREADS)  # opens what is opened once
        for _ in range(runs):
            live.append(_timed(lambda: _ask_all(url, THREADS)))
            recorded.append(_timed(lambda: _taped(path, "all", lambda: _ask_all(url, THREADS))))
    path.with_suffix(".url").write_text(url)
    took, cpu = zip(*live, strict=True)
    took_recording, cpu_recording = zip(*recorded, strict=True)
    added = 100 * (median(took_recording) / median(took) - 1)
    added_cpu_ms = 1000 * (median(cpu_recording) - median(cpu)) / EXCHANGES
    return Recording(pause_ms, list(took), list(took_recording), round(added, 1), round(added_cpu_ms, 2))


def replay(path: Path, runs: int) -> Replay:
    """Return what it takes to replay what ``recording`` left behind, with the server gone."""
    url = path.with_suffix(".url").read_text()
    turns = [_timed(lambda: _taped(path, "none", lambda: _ask_all(url, 1))) for _ in range(runs)]
    seconds, cpu = zip(*turns, strict=True)
    return Replay(EXCHANGES, round(path.stat().st_size / 1e6, 1), list(seconds), list(cpu))


def interleaving(path: Path, repetitions: int) -> Interleaving:
    """Return how many answers were swapped when 8 threads recorded, and replayed, 100 requests each in random order."""
    swapped = sent = 0
    for repetition in range(repetitions):
        path.unlink(missing_ok=True)
        rnd = random.Random(repetition)
        with loopback(lambda asked: Said(json.dumps({"of": json.loads(asked.content)}).encode())) as server:
            for mode in ("once", "none"):
                swapped += _taped(path, mode, partial(_swapped, server.url, rnd))
            sent += len(server.log) - THREADS * 100
    return Interleaving(repetitions, THREADS, THREADS * 100, swapped, sent)


def page(replayed: Replay, recordings: list[Recording], interleaved: Interleaving) -> str:
    """Return the figures as a page."""
    rows = "\n".join(
        f"| {each.pause_ms} ms | {_spread(each.live)} | {_spread(each.recorded)} | {each.added_percent:+.1f} % "
        f"| {each.bound:.0f} % | {each.added_cpu_ms_per_exchange} ms |"
        for each in recordings
    )
    return f"""# Cassettes

{machine.sentence()}; load average {os.getloadavg()[1]:.0f}: with more processes than
cores, seconds are longer than what the work takes, which the CPU figures say. Reproduce:
`python -m benchmarks.cassettes`. Medians; the slowest run in brackets.

## Replaying

{replayed.exchanges:,} exchanges of {2 * CHARACTERS // 1000} kB, a cassette of {replayed.megabytes} MB, opened and
asked for one after the other: {_spread(replayed.seconds)} (bound: {replayed.bound:.0f} s), the work of the client
included; {median(replayed.cpu_seconds):.2f} s of CPU.

## Recording

The same exchanges from {THREADS} threads, with a service that takes so long for each; the cassette is written.

| service takes | without | recorded | added | bound | CPU added to an exchange |
|---|---|---|---|---|---|
{rows}

## Threads

{interleaved.repetitions} times, {interleaved.threads} threads at once, {interleaved.requests} requests in random
order, recorded and then replayed in another order: {interleaved.swapped} answers swapped,
{interleaved.sent_in_none} requests sent while replaying.
"""


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s ({max(seconds):.2f} s)"


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes, and those of them that this process computes."""
    start, cpu = time.perf_counter(), time.process_time()
    run()
    return round(time.perf_counter() - start, 3), round(time.process_time() - cpu, 3)


def _taped(path: Path, mode: str, run: Callable[[], int]) -> int:
    with use(path, mode, about="benchmark", scrubber=Scrubber()) as tape:
        found = run()
    if tape.trouble or tape.unused:
        msg = f"{tape.trouble} {tape.unused}"
        raise RuntimeError(msg)
    return found


def _ask_all(url: str, threads: int) -> int:
    with httpx2.Client(timeout=60) as client, ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda number: _ask(client, url, number), range(EXCHANGES)))


def _ask(client: httpx2.Client, url: str, number: int) -> int:
    question = {"model": "m", "number": number, "input": [{"role": "user", "content": _prose(number)}]}
    if client.post(url, json=question).json()["number"] != number:
        msg = f"the answer of another request than {number}"
        raise RuntimeError(msg)
    return 1


@cache
def _prose(number: int) -> str:
    rnd = random.Random(number)
    lines = [" ".join(rnd.choices(_WORDS, k=12)) for _ in range(CHARACTERS // 70)]
    return "\n".join(lines)[:CHARACTERS]


def _swapped(url: str, rnd: random.Random) -> int:
    orders = [rnd.sample(range(100), 100) for _ in range(THREADS)]
    with httpx2.Client() as client, ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda thread: _swapped_in(client, url, thread, orders[thread]), range(THREADS)))


def _swapped_in(client: httpx2.Client, url: str, thread: int, numbers: list[int]) -> int:
    # Half of the threads ask the same as the other half.
    questions = [{"thread": thread % (THREADS // 2), "number": number} for number in numbers]
    return sum(client.post(url, json=question).json() != {"of": question} for question in questions)


class _Service:
    """A server in a process of its own."""

    def __init__(self, pause_ms: int) -> None:
        self._here, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, pause_ms), daemon=True)

    def __enter__(self) -> str:
        self._process.start()
        return str(self._here.recv())

    def __exit__(self, *_: object) -> None:
        self._here.send("end")
        self._process.join()


def _serve(there: Connection, pause_ms: int) -> None:
    said = _prose(EXCHANGES)

    def answer(sent: Sent) -> Said:
        time.sleep(pause_ms / 1000)
        number = json.loads(sent.content)["number"]
        output = [{"type": "message", "content": [{"type": "output_text", "text": said}]}]
        body = {"id": f"resp_{random.Random(number).getrandbits(128):032x}", "object": "response", "number": number}
        return Said(json.dumps({**body, "created_at": int(time.time()), "output": output}).encode())

    with loopback(answer) as server:
        there.send(server.url)
        there.recv()


if __name__ == "__main__":
    main()
