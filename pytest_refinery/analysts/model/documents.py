"""What is put into the vector store of a trace: one file for each group, and what belongs to a case. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import PurePath
from typing import TYPE_CHECKING

from pytest_refinery.analysis import prompt_texts, prompt_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.ports import Case, PromptFile
    from pytest_refinery.digest.grouping import Group

# The extensions that the service indexes of those that prompts have; a file of any other kind becomes a text.
_INDEXED = frozenset({".md", ".txt", ".json", ".html", ".py"})
# The service's limits, and the least size in which a run is seldom cut.
_SMALLEST_CHUNK, _LARGEST_CHUNK, _MOST_RESULTS = 800, 4_096, 50
# The service counts tokens its own way.
_MISCOUNTED = 1.25


@dataclass(frozen=True)
class Document:
    """A file for the store.

    Attributes:
        role: ``trace``, ``expectations``, ``evals`` (what was found), ``prompt`` or ``eval``.
        group: The group that it holds, ``-`` for none.
    """

    name: str
    text: str
    role: str
    group: str = "-"

    @cached_property
    def content(self) -> str:
        """A hash of name and text: what is in the store already is known by it."""
        return hashlib.sha256(f"{self.name}\n{self.text}".encode()).hexdigest()[:16]

    @property
    def attributes(self) -> dict[str, str]:
        """What searches filter by."""
        return {"group": self.group, "role": self.role, "content": self.content}


def of_trace(groups: Iterable[Group]) -> tuple[Document, ...]:
    """Return the files with the groups of a trace."""
    return tuple(Document(group.filename, group.text, "trace", group.name) for group in groups)


def of_case(case: Case) -> Iterator[Document]:
    """Yield the files with what was expected, what was found, the prompts, and how the agent is judged elsewhere."""
    yield Document("expectations.md", prompt_texts.expectation(case), "expectations")
    if case.failures:
        found = "\n".join(f"- expected {each.expected}\n  was {each.actual}" for each in case.failures)
        yield Document("evals.md", found, "evals")
    yield from _documents("prompt", case.prompt_files)
    for number, prompt in enumerate(prompt_versions.unwritten(case), start=1):
        yield Document(f"prompt_{number}_of_the_trace.md", prompt.text, "prompt")
    yield from _documents("eval", case.eval_files)


def _documents(role: str, files: Iterable[PromptFile]) -> Iterator[Document]:
    return (Document(_indexed_name(role, file.path), file.text, role) for file in files if file.text.strip())


def chunk_tokens(groups: Sequence[Group]) -> int:
    """Return a size of chunks in which one search can return any of the groups whole."""
    largest = max((group.tokens for group in groups), default=0)
    return min(_LARGEST_CHUNK, max(_SMALLEST_CHUNK, ceil(largest * _MISCOUNTED / (_MOST_RESULTS - 1))))


def results_for(group: Group, chunk: int) -> int:
    """Return how many chunks a group has at most."""
    return min(_MOST_RESULTS, ceil(group.tokens * _MISCOUNTED / chunk) + 1)


def identity(documents: Iterable[Document], chunk: int) -> str:
    """Return what tells the store of one trace from that of another."""
    whole = "\n".join([str(chunk), *(document.content for document in documents)])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _indexed_name(role: str, path: str) -> str:
    name = f"{role}_{PurePath(path).name}"
    return name if PurePath(name).suffix.lower() in _INDEXED else f"{name}.txt"
