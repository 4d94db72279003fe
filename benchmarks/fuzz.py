"""What damaged files do: traces, expectation files and cassettes, mutated at random and read to the end.

Whatever stands in a file, it is used or refused in a sentence: no other exception, no check that passes because nothing
could be read, at most 20 s for one file and 1 GB for the process.

``python -m benchmarks.fuzz --write`` tries 20,000 in pieces of 500, each in a process of its own, and writes
``benchmarks/results/fuzz.{json,md}``; ``--seed 10000 --count 10000 --write`` goes on where ``--count 10000 --write``
ended. ``--seed 17 --count 1`` repeats the one mutant that a line of the output names.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks import machine
from pytest_refinery.analysis import cases, pictures
from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysts.rules.analyst import RulesAnalyst
from pytest_refinery.cassettes import cassette_file
from pytest_refinery.errors import CheckError, RefineryError
from pytest_refinery.expectations import checks, loader
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = Path(__file__).parent / "results"
_PIECE = 500
_MOST_SECONDS = 20
_MOST_MB = 1_000
# Mutants of each kind, out of ten.
_TRACES, _EXPECTATIONS = 5, 4
_CHECKS = """\
trace: x
expectations:
  - {id: tokens, expect: x, checks: [{tokens: {at_most: 3}}]}
  - {id: tools, expect: x, checks: [{tools: {not_called: b, arguments: {a: {b: 1}}, at_most: {"*": 5}}}]}
  - {id: errors, expect: x, checks: [{errors: {at_most: 1, not_matches: zz}}, {runs: {at_most: 3, kind: llm}}]}
  - {id: latency, expect: x, checks: [{latency: {seconds: 3}}]}
  - {id: impossible, expect: It says 14 days., checks: [{output: {contains: zzqx is said by no mutant}}]}
"""
_UGLY = re.compile(r"Traceback|object at 0x|NoneType|KeyError|TypeError|AttributeError|ValidationError")

_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**400, -(10**400), 1e308, 2**63, -(2**63) - 1, float("nan"), float("inf")),
    *("", " ", "x", "\x00", "\ud800", "\u202e", "\x1b[31m", "::error::x", "9" * 5_000, "a" * 20_000, "\n" * 20_000),
    *(
        "2024-99-99T99:99:99Z",
        "9999-12-31T23:59:59.999999999Z",
        253402300800,
        "null",
        "[1",
        '{"a":',
        "../../etc/passwd",
    ),
    *([], {}, [[]], [None], {"": None}, {"type": "x"}, ["a", 1, None, {}], "(a+)+$", "**.md", "1.1e999", ".nan"),
]
_SPLICES = (
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"}",
    b"[",
    b'"',
    b"\n",
    b"\\",
    b",",
    b":",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"&a [*a]",
    b"- ",
)
_MESSAGES = [
    {"role": "system", "content": "You are the assistant of a shop. Refunds take 14 days."},
    {"role": "user", "content": "How long do refunds of order 1042 take?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "lookup_order", "arguments": '{"id": 1042}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "lookup_order", "content": '{"status": "paid", "days": 14}'},
    {"role": "assistant", "content": "Refunds take 30 days."},
]
_SPAN = {
    "traceId": "5b8aa5a2d2c872e8321cf37308d69df2",
    "spanId": "051581bf3cb55c13",
    "name": "chat small",
    "startTimeUnixNano": "1772442000000000000",
    "endTimeUnixNano": "1772442001000000000",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {
            "key": "gen_ai.output.messages",
            "value": {"stringValue": '[{"role": "assistant", "parts": [{"type": "text", "content": "Sure."}]}]'},
        },
    ],
}
_RUNS = [
    {
        "id": f"r{number}",
        "trace_id": "r0",
        "parent_run_id": "r0" if number else None,
        "name": kind,
        "run_type": kind,
        "start_time": f"2026-01-01T00:00:0{number}Z",
        "end_time": f"2026-01-01T00:00:0{number}.5Z",
        "inputs": {"messages": _MESSAGES[: number + 2]},
        "outputs": {"messages": _MESSAGES[4:] if kind == "chain" else _MESSAGES[number + 2 : number + 3]},
        "extra": {"metadata": {"ls_model_name": "small"}},
    }
    for number, kind in enumerate(("chain", "llm", "tool"))
]
_SUITE = {
    "trace": "trace.json",
    "tags": ["refunds"],
    "prompts": ["*.md"],
    "expectations": [
        {
            "id": "says-14-days",
            "expect": "The agent says 14 days.",
            "business_context": "Wrong promises cost money.",
            "trials": 2,
            "pass_rate": 0.5,
            "checks": [
                {"output": {"contains": "14 days", "not_matches": "3\\d days"}},
                {"tools": {"called": "lookup_order", "arguments": {"lookup_order": {"id": 1042}}, "at_most": {"*": 5}}},
                {"errors": "none"},
                {"runs": {"at_most": 20, "kind": "llm"}},
                {"latency": {"seconds": 10}},
            ],
        },
        {"id": "is-polite", "expect": "The agent is polite."},
    ],
}
_CASSETTE = {
    "cassette": 1,
    "interactions": [
        {
            "request": {"method": "POST", "url": "https://api.example.com/v1/responses", "json": {"model": "small"}},
            "response": {"status": 200, "headers": {"content-type": "application/json"}, "json": {"output": ["hi"]}},
        }
    ],
}


def mutants(seed: int) -> tuple[str, bytes]:
    """Return the name of the kind of file and the content of the mutant with a number."""
    chance = random.Random(seed)
    kind = seed % 10
    if kind < _TRACES:
        value: Any = [_MESSAGES, {"resourceSpans": [{"scopeSpans": [{"spans": [_SPAN]}]}]}, _RUNS, {"runs": _RUNS}][
            seed % 4
        ]
        return "trace", _damaged(chance, value, lambda value: json.dumps(value).encode())
    value, name = (_SUITE, "expectations") if kind < _TRACES + _EXPECTATIONS else (_CASSETTE, "cassette")
    end = b"" if name == "expectations" else b"...\n"
    return name, _damaged(
        chance, value, lambda value: yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode() + end
    )


def _damaged(chance: random.Random, value: Any, written: Callable[[Any], bytes]) -> bytes:  # noqa: ANN401  (any JSON)
    value = copy.deepcopy(value)
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        value = _changed(chance, value)
    try:
        content = written(value)
    except (ValueError, yaml.YAMLError):
        content = json.dumps(value, default=str).encode("utf-8", "surrogatepass")
    except RecursionError:
        content = b"[" * 5_000
    for _ in range(chance.choice((0, 0, 1, 3))):
        at, length = chance.randrange(len(content) + 1), chance.choice((0, 1, 5, 200))
        splice = chance.choice((*_SPLICES, content[at : at + length], b""))
        content = content[:at] + splice * chance.choice((1, 1, 1, 2, 2_000)) + content[at + length :]
    return content


def _changed(chance: random.Random, value: Any) -> Any:  # noqa: ANN401  (any JSON)
    places = list(_places(value))
    parent, key = chance.choice(places)
    if parent is None:
        return copy.deepcopy(chance.choice(_VALUES)) if chance.random() < 0.1 else value
    how = chance.choice(("replace", "replace", "replace", "remove", "copy", "rename", "deepen", "repeat"))
    if how == "remove":
        del parent[key]
    elif how == "copy":
        other, name = chance.choice(places[1:])
        parent[key] = copy.deepcopy(other[name])
    elif how == "rename" and isinstance(parent, dict):
        parent[chance.choice(("", "id", "type", "role", "content", f"{key}s", str(key).upper(), "\x00"))] = parent.pop(
            key
        )
    elif how == "deepen":
        for _ in range(chance.choice((1, 3, 100))):
            parent[key] = [parent[key]]
    elif how == "repeat" and isinstance(parent, list):
        parent += [copy.deepcopy(parent[key]) for _ in range(chance.choice((1, 20)))]
    else:
        parent[key] = copy.deepcopy(chance.choice(_VALUES))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  (any JSON)
    yield None, None
    left = [value]
    while left:
        item = left.pop()
        for key in list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ():
            yield item, key
            left.append(item[key])


def tried(seed: int, folder: Path) -> str:
    """Return what came of a mutant: ``used``, ``refused`` with a sentence, or what must not be."""
    kind, content = mutants(seed)
    path = folder / {"trace": "trace.json", "expectations": "x.refinery.yaml", "cassette": "x.yaml"}[kind]
    path.write_bytes(content)
    begin = time.perf_counter()
    try:
        with _in_time():
            found = {"trace": _trace, "expectations": _expectations, "cassette": _cassette}[kind](path)
    except RefineryError as error:
        found = f"UGLY {error}" if _UGLY.search(str(error)) else "refused"
    except Exception as error:  # noqa: BLE001  (what is looked for)
        place = traceback.extract_tb(error.__traceback__)[-1]
        found = f"RAISED {type(error).__name__} at {place.filename}:{place.lineno}: {error}"
    seconds = time.perf_counter() - begin
    return f"SLOW {seconds:.0f} s" if seconds > _MOST_SECONDS else found


@contextmanager
def _in_time() -> Iterator[None]:
    def give_up(*_: object) -> None:
        msg = "too slow"
        raise TimeoutError(msg)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(2 * _MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _trace(path: Path) -> str:
    trace = JsonFiles().load(path.name, base=path.parent)
    (path.parent / "suite.refinery.yaml").write_text(_CHECKS)
    case = None
    for expectation in loader.load(path.parent / "suite.refinery.yaml"):
        try:
            verdicts = checks.run_checks(expectation.checks, trace)
        except CheckError:
            continue
        if expectation.id == "impossible" and all(verdict.passed for verdict in verdicts):
            return "PASSED although nothing says it"
        _ = [verdict.message for verdict in verdicts]
        case = cases.of(expectation, Scrubber().trace(trace), prompt_files=(), eval_files=())
    if case is not None:
        Engine(RulesAnalyst(), Limits(timeout_seconds=5.0)).diagnose(case).model_dump_json()
    pictures.draw(trace, quotes=["14 days"]).model_dump_json(exclude_defaults=True).encode()
    return "used"


def _expectations(path: Path) -> str:
    found = loader.load(path)
    (path.parent / "trace.json").write_text(json.dumps(_MESSAGES))
    for expectation in found:
        trace = JsonFiles().load(expectation.trace or "trace.json", base=path.parent)
        verdicts = checks.run_checks(expectation.checks, trace, import_from=(path.parent,))
        if expectation.checks and not verdicts:
            return "PASSED although its checks said nothing"
    return "used" if found else "PASSED although it expects nothing"


def _cassette(path: Path) -> str:
    cassette_file.load(path)
    cassette_file.recording_metadata(path)
    return "used"


def main() -> None:
    """Try the mutants, print what must not be, and write how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--piece", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write the results")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.count)
    if asked.piece:
        print(json.dumps(_piece(seeds)))
        return
    pieces = [seeds[at : at + _PIECE] for at in range(0, len(seeds), _PIECE)]
    found = [_in_own_process(piece) for piece in pieces]
    counts = sum((Counter(each["counts"]) for each in found), Counter[str]())
    faults = [fault for each in found for fault in each["faults"]]
    most_mb = max(each["mb"] for each in found)
    print(*faults, sep="\n")
    print(f"{len(seeds):,} mutants: {dict(counts)}, {len(faults)} faults, {most_mb} MB at most")
    if asked.write:
        _write(asked.seed, {"mutants": len(seeds), "counts": dict(counts), "faults": faults, "most_mb": most_mb})
    if faults or most_mb > _MOST_MB:
        sys.exit(1)


def _piece(seeds: range) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            found = tried(seed, Path(folder))
            if found in {"used", "refused"}:
                counts[f"{mutants(seed)[0]} {found}"] += 1
            else:
                faults.append(f"--seed {seed} --count 1: {mutants(seed)[0]} {found[:300]}")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"counts": counts, "faults": faults, "mb": most}


def _in_own_process(seeds: range) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.fuzz",
        "--piece",
        "--seed",
        str(seeds.start),
        "--count",
        str(len(seeds)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        fault = (
            f"--seed {seeds.start} --count {len(seeds)}: the process ended with {done.returncode} {done.stderr[-300:]}"
        )
        return {"counts": {}, "faults": [fault], "mb": 0}
    return found


def _write(first: int, found: dict[str, Any]) -> None:
    """Write the results; those of seeds that begin where the last ones ended are added to them."""
    before = json.loads(RESULTS.joinpath("fuzz.json").read_text()) if first else {"mutants": 0}
    if first and before["mutants"] == first:
        found = {
            "mutants": first + found["mutants"],
            "counts": dict(Counter(before["counts"]) + Counter(found["counts"])),
            "faults": before["faults"] + found["faults"],
            "most_mb": max(before["most_mb"], found["most_mb"]),
        }
    RESULTS.joinpath("fuzz.json").write_text(json.dumps({"machine": machine.describe(), **found}, indent=2) + "\n")
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in sorted(found["counts"].items()))
    faults = "\n".join(f"- `{fault}`" for fault in found["faults"]) or "None."
    RESULTS.joinpath("fuzz.md").write_text(
        f"# Damaged files\n\n{found['mutants']:,} mutants of traces, expectation files and cassettes, each used or "
        f"refused in a sentence within {_MOST_SECONDS} s.\n"
        f"The process took {found['most_mb']} MB at most (bound: {_MOST_MB}).\n\n"
        f"| kind and outcome | mutants |\n|---|---|\n{rows}\n\nFaults:\n\n{faults}\n\n"
        f"Measured on: {machine.sentence()}. Again with `python -m benchmarks.fuzz --write`.\n"
    )


if __name__ == "__main__":
    main()
