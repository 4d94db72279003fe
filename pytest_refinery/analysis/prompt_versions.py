"""The prompts of the agent when the trace was recorded, beside the prompt files as the repository has them now."""

from __future__ import annotations

import re
from itertools import islice, pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import PromptsRecord
from pytest_refinery.analysis.schemas import StalePrompt
from pytest_refinery.traces import templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.ports import Case, PromptFile
    from pytest_refinery.traces.prompts import Prompt

# A file of so many words, so many of whose pairs of words stand in a text, is taken for another version of it.
_LEAST_WORDS = 6
_ALIKE = 0.6
# A file that has all of the text and so much more holds other prompts too.
_HOLDS_MORE = 0.4
_MOST_SHOWN = 20
# Files in which a prompt is one value among others, escaped and quoted: no text of its own to compare.
_DATA = frozenset({".json", ".jsonl", ".yaml", ".yml", ".toml", ".xml", ".ini", ".cfg", ".csv"})
_CODE = frozenset({".py", ".ipynb", ".js", ".ts", ".tsx", ".jsx", ".go", ".java", ".kt", ".rb", ".rs", ".cs", ".sh"})
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def unwritten(case: Case) -> tuple[Prompt, ...]:
    """Return the system prompts and templates of the trace whose text is in no prompt file."""
    files = [templates.parse(file.text) for file in case.prompt_files]
    prompts = (prompt for prompt in case.prompts if prompt.kind in {"system", "template"})
    return tuple(prompt for prompt in prompts if not any(file.renders_to(prompt.text) for file in files))


def counted(case: Case) -> PromptsRecord:
    """Return how many prompts the trace of a case has, and how many of its files match them."""
    return PromptsRecord(
        found=sum(prompt.kind in {"system", "template"} for prompt in case.prompts),
        files=len(case.prompt_files),
        matching=len(written(case.prompts, case.prompt_files)) if case.prompt_files else 0,
        evals=len(case.eval_files),
    )


def written(prompts: Iterable[Prompt], files: Sequence[PromptFile]) -> tuple[PromptFile, ...]:
    """Return the files that system prompts and templates were rendered from, or else those that quote them."""
    found: dict[PromptFile, None] = {}
    for prompt in prompts:
        text = templates.fold(prompt.text)
        if prompt.kind in {"system", "template"} and len(text.split()) >= _LEAST_WORDS:
            sources = [file for file in files if _is_source(file, text)]
            found |= dict.fromkeys(sources or [file for file in files if text in templates.fold(file.text)])
    return tuple(found)


def _is_source(file: PromptFile, text: str) -> bool:
    template = _template(file)
    return len(template.text.split()) >= _LEAST_WORDS and template.is_in(text)


def stale(case: Case) -> tuple[StalePrompt, ...]:
    """Return the prompt files of which the trace has another text, in the order of the files.

    A template of which the trace has a rendering is not stale, nor is a file of which the trace has nothing.
    """
    prompts = {prompt: templates.fold(prompt.text) for prompt in case.prompts if prompt.kind != "settings"}
    changed = ((file, _other_version(file, case.prompt_files, prompts)) for file in case.prompt_files)
    found = (_compared(case, file, prompt) for file, prompt in changed if prompt)
    return tuple(filter(None, found))


def _other_version(file: PromptFile, files: Iterable[PromptFile], prompts: dict[Prompt, str]) -> Prompt | None:
    """Return the prompt that is another version of ``file``; ``None`` where there is none, or the file is current."""
    template = templates.parse(file.text)
    is_text = PurePath(file.path).suffix.lower() not in _DATA | _CODE
    if not is_text or any(map(template.is_in, prompts.values())) or len(template.text.split()) < _LEAST_WORDS:
        return None
    siblings = [
        each for each in map(_template, files) if each != template and _share(template.text, each.text) >= _ALIKE
    ]
    shares = {
        prompt: _share(template.text, text)
        for prompt, text in prompts.items()
        if not any(sibling.is_in(text) for sibling in siblings)
    }
    nearest = max(shares, key=lambda prompt: shares[prompt], default=None)
    return nearest if nearest and shares[nearest] >= _ALIKE else None


def _template(file: PromptFile) -> templates.Template:
    return templates.parse(file.text)


def _share(text: str, other: str) -> float:
    """Return the share of the pairs of words of ``text`` that ``other`` has too."""
    pairs = set(pairwise(text.casefold().split()))
    return len(pairs & set(pairwise(other.casefold().split()))) / len(pairs) if pairs else 0.0


def _compared(case: Case, file: PromptFile, prompt: Prompt) -> StalePrompt | None:
    written = templates.required(file.text)
    only_in_trace = tuple(islice(_only_in_trace(prompt.text, written), _MOST_SHOWN))
    only_in_file = tuple(_only_in_file(prompt.text, written))
    missing = len(" ".join(only_in_file).split()) / len(written.split())
    if not only_in_trace and (not only_in_file or missing >= _HOLDS_MORE):
        return None
    return StalePrompt(
        file=file.path,
        run_id=prompt.run_ids[0],
        run_number=case.trace.numbers[prompt.run_ids[0]],
        only_in_trace=only_in_trace,
        only_in_file=only_in_file[:_MOST_SHOWN],
    )


def _only_in_file(text: str, written: str) -> Iterator[str]:
    folded = templates.fold(text)
    for piece in _pieces(written):
        template = templates.parse(piece)
        if template.literals and not template.is_in(folded):
            yield piece


def _only_in_trace(text: str, written: str) -> Iterator[str]:
    """Yield the pieces of ``text`` that neither stand in the file nor are the value of a variable there."""
    pieces = list(_pieces(written))
    whole = templates.fold(written)
    with_variables = [templates.parse(piece) for piece in pieces if templates.has_variables(piece)]
    before_values = _before_values(pieces)
    is_value = "" in before_values
    for piece in _pieces(text):
        folded = templates.fold(piece)
        if folded in whole:
            is_value = folded in before_values
        elif any(template.is_in(folded) for template in with_variables):
            is_value = True
        elif not is_value:
            yield piece


def _before_values(pieces: Sequence[str]) -> set[str]:
    """Return the pieces behind which a variable stands alone, ``""`` where one stands first."""
    return {templates.fold(before) for before, piece in pairwise(("", *pieces)) if not templates.parse(piece).literals}


def _pieces(text: str) -> Iterator[str]:
    """Yield the lines of a text, sentence by sentence."""
    for line in text.splitlines():
        yield from filter(None, _SENTENCE_END.split(line.strip()))
