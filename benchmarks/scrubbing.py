"""How long it takes to look for secrets: milliseconds a megabyte, the best of several rounds.

python -m benchmarks.scrubbing [--data ../shared/data]
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_refinery.scrubbing.environment import of_environment
from pytest_refinery.scrubbing.scrubber import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 5
_MOST_MS_A_MB = 30.0
# Of lists of thousands of texts of a few words, unlike any trace: each text has a cost of its own.
_MOST_MS_A_MB_OF_TINY_TEXTS = 60.0
_TINY = frozenset({"prose, a text of ten words each", "ids"})
_SECRETS = {f"SERVICE_{number}_API_KEY": f"{number}-value-of-a-key-{number * 7919}" for number in range(10)}


def main() -> None:
    """Print a line for each kind of text, and end with an error where one is above the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    scrubber = Scrubber(values=of_environment(_SECRETS))
    slow = []
    for name, value in _samples(parser.parse_args().data).items():
        megabytes = len(json.dumps(value, ensure_ascii=False)) / 1e6
        found = _best(lambda value=value: scrubber.json(value)) * 1_000 / megabytes
        bound = _MOST_MS_A_MB_OF_TINY_TEXTS if name in _TINY else _MOST_MS_A_MB
        print(f"{name:34} {megabytes:6.1f} MB {found:7.1f} ms/MB (bound: {bound:g})")
        slow += [name] if found > bound else []
    if slow:
        sys.exit(f"slower than the bound: {', '.join(slow)}")


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def _samples(data: Path) -> dict[str, Any]:
    chance = random.Random(1)
    usual = "the order of a client is in every list and who said that it would not come".split() * 8
    words = [chance.choice([*usual, "key", "token"]) for _ in range(200_000)]
    samples: dict[str, Any] = {
        "prose, one text": " ".join(words),
        "prose, a text of ten words each": [" ".join(words[at : at + 10]) for at in range(0, len(words), 10)],
        "ids": [{"id": f"{chance.getrandbits(128):032x}", "key": f"k{at}"} for at in range(10_000)],
        "a picture in base64": base64.b64encode(chance.randbytes(1_000_000)).decode(),
    }
    for path in sorted((data / "langsmith_tau" / "nested").glob("*.gz"))[:2]:
        samples[f"LangSmith, {path.name}"] = json.loads(gzip.decompress(path.read_bytes()))
    for path in sorted((data / "langfuse").glob("*.json"))[:1]:
        samples[f"Langfuse, {path.name}"[:34]] = json.loads(path.read_text(encoding="utf-8"))
    return samples


if __name__ == "__main__":
    main()
