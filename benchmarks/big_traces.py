"""Makes one big trace out of real ones, each copy with ids, words and numbers of its own."""

from __future__ import annotations

import gzip
import json
import random
import re
import uuid
from itertools import count, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WORD = re.compile(r"[a-z]{5,}|\d{3,}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ROOT = {"id": str(uuid.UUID(int=1)), "name": "session", "run_type": "chain", "inputs": {}, "outputs": {}}
# What runs say; the rest of a record is ids, times and settings.
_SPOKEN = ("inputs", "outputs", "error")


def write(path: Path, *, runs: int, models: list[Path]) -> None:
    """Write a LangSmith export of ``runs`` runs, varied copies of ``models`` below one root run."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"[{json.dumps(_ROOT)}")
        for record in islice(_records(models), runs - 1):
            file.write(",\n" + json.dumps(record, ensure_ascii=False))
        file.write("]\n")


def _records(models: list[Path]) -> Iterator[dict[str, Any]]:
    texts = [gzip.decompress(model.read_bytes()).decode() for model in models]
    for number in count():
        loaded = json.loads(texts[number % len(texts)])
        yield from _Copy(number).records(loaded["runs"] if isinstance(loaded, dict) else loaded)


class _Copy:
    """One copy: the same word or number becomes the same other one throughout it."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._words: dict[str, str] = {}
        self._strings: dict[str, str] = {}

    def records(self, records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for record in records:
            spoken = {key: self._varied(record.get(key)) for key in _SPOKEN}
            copied: dict[str, Any] = json.loads(_ID.sub(self._other, json.dumps({**record, **dict.fromkeys(_SPOKEN)})))
            copied["parent_run_id"] = copied.get("parent_run_id") or _ROOT["id"]
            copied.pop("dotted_order", None)
            yield {**copied, "trace_id": _ROOT["id"], **spoken}

    def _varied(self, value: Any) -> Any:  # noqa: ANN401  (any JSON value)
        if isinstance(value, dict):
            return {key: self._varied(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._varied(item) for item in value]
        if not isinstance(value, str) or not (" " in value or "call_" in value):
            return value
        if value not in self._strings:
            self._strings[value] = _WORD.sub(self._other, value)
        return self._strings[value]

    def _other(self, match: re.Match[str]) -> str:
        word = match.group()
        if word not in self._words:
            self._words[word] = self._replacement(word)
        return self._words[word]

    def _replacement(self, word: str) -> str:
        if _ID.fullmatch(word):
            return str(uuid.UUID(int=self._random.getrandbits(128)))
        if word.isdigit():
            return "".join(self._random.choices("123456789", k=len(word)))
        # One word in three is another: texts stay texts, and no two copies share one.
        return "".join(self._random.sample(word, len(word))) if self._random.random() < 1 / 3 else word
