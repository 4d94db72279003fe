"""The figures as a page of Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks import machine

_CAVEATS = """\
## How to read this

- A whole diagnosis is all that the plugin asks about a trace, inline, by as many processes. *Least* is the time
  between the first and the last request if tokens could be cut at will: a minute less than the tokens need, which is
  rounded up under a sliding minute. Requests cannot be cut, and at 10,000 tokens a minute most are half of it. *Event*:
  every second diagnosis is a verdict of the judge; three answers are 500 and three 429; or beside half of the workers,
  the other half is another run, killed after a minute and a half.
- In the other tables the service charges what a request really costs when it arrives, and gives nothing back. Workers
  know the cost only to 30 % either way. A service that charges an estimate of its own is kinder.
- *Use* is the throughput as a share of the best possible: the same requests in the order in which they came, by as many
  workers, each call taking as long as it took, under a limiter that knows every cost beforehand and needs no time.
  Above 1 is only possible by refusals (a refused request costs nothing here).
- *Overtaken* is the most requests that were let go before one that had asked at least 10 ms earlier, as the workers
  saw it: it holds the delays of the system's scheduler too.
- The minute is scaled to 6 seconds except where it says otherwise, so every delay of the machine weighs ten times as
  much. Requests cost 150 to 450 tokens of 30,000, and 5.5 minutes' worth is sent
  (3.5 where limiters are compared, 2.5 in a real minute).
- The other limiters do what they were made for, most of them something else: only token-throttle and the one written
  by hand correct estimates, and none says anything of order. Those without a blocking call are asked again every 10 ms.
- Work is handed out to the first worker that is free, which is the best case of a static split: each process uses its
  whole share.
- Clients, service and Redis share the cores of the machine.
"""


def page(figures: dict[str, Any]) -> str:
    """Return the whole page."""
    parts = [
        "# The token budget",
        _whole(figures["whole"]),
        _runs("## pytest-refinery, ledger in a file, by number of processes", figures["ours"]),
        _unscaled(figures.get("unscaled")),
        _runs("## Side by side, 8 processes", figures["compared"]),
        _latency(figures["latency"]),
        _waiting([*figures["waiting"], *figures["crowds"]]),
        _crashes(figures["crashes"]),
        _CAVEATS + figures.get("notes", ""),
        f"Measured on: {machine.sentence()}. Again with `python -m benchmarks.budget`.",
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _whole(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {row['way']} | {row['event']} | {row['tpm']:,} | {row['algorithm']} | {row['workers']} "
        f"| {row['minute']:.0f} | {row['whole']} of {row['diagnoses']} | {row['refusals']} | {row['seconds']:.1f} "
        f"| {row['least_seconds']:.1f} | {'-' if row['ratio'] is None else format(row['ratio'], '.3f')} |"
        for row in rows
    ]
    head = (
        "| way | event | tokens per minute | service | workers | seconds of a minute | whole | refusals | seconds "
        "| least | times the least |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join(["## Whole diagnoses of nested traces", "", head, *lines])


def _unscaled(runs: list[dict[str, Any]] | None) -> str:
    return _runs("## The same with a real minute", runs) if runs else ""


def _runs(title: str, runs: list[dict[str, Any]]) -> str:
    rows = [
        f"| {run['limiter']} | {run['service']} | {run['processes']} | {run['use']:.3f} | {run['refusals']} "
        f"| {run['overtaken']} | {run['seconds']:.1f} |"
        for run in runs
    ]
    head = "| limiter | service | processes | use | refusals | overtaken | seconds |\n|---|---|---|---|---|---|---|"
    return "\n".join([title, "", head, *rows])


def _latency(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {row['processes']} | {row['entries']} | {row['median']:.2f} | {row['p99']:.2f} | {row['longest']:.1f} |"
        for row in rows
    ]
    head = "| processes | entries in the book | median | 99th percentile | longest |\n|---|---|---|---|---|"
    return "\n".join(["## One reserve + settle, milliseconds, every process doing nothing else", "", head, *lines])


def _waiting(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {row['waiters']:,} {row['kind']} | {row['seconds']:.0f} | {100 * row['cpu_share']:.3f} "
        f"| {row['late_seconds']:.3f} |"
        for row in rows
    ]
    head = "| waiting | seconds | % of a core each | seconds until the last had started |\n|---|---|---|---|"
    return "\n".join(["## What waiting costs", "", head, *lines])


def _crashes(row: dict[str, Any]) -> str:
    return (
        f"## Killed at random instants\n\n{row['kills']:,} workers were killed with SIGKILL while 7 others went on; "
        f"{row['granted']:,} requests were granted. Of {row['compared']:,} settled requests looked for in the book, "
        f"{len(row['wrong'])} were wrong. The longest wait for a grant was {row['longest_wait']:.3f} s. "
        f"Complaints about a damaged file: {len(row['complaints'])}."
    )
