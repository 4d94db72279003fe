"""Which suggested changes are shown, where they belong, and what the file would look like. Pure: nothing is changed."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_refinery.analysis import case_values, prompt_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.ports import Case, PromptFile
    from pytest_refinery.analysis.schemas import SuggestedFix
    from pytest_refinery.traces.model import Run, Trace

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, order=True)
class Edit:
    """The characters from ``start`` to ``end`` of a text, to be replaced by ``text``."""

    start: int
    end: int
    text: str

    def applied(self, whole: str) -> str:
        """Return the text with the change made."""
        return whole[: self.start] + self.text + whole[self.end :]

    def clashes_with(self, other: Edit) -> bool:
        """Tell whether both replace the same characters, or one adds in the middle of what the other replaces."""
        return self != other and self.start < other.end and other.start < self.end


def shown(fix: SuggestedFix | None, case: Case, *, run: Run | None) -> SuggestedFix | None:
    """Return the fix with its place in a prompt file; ``None`` where it should not be shown.

    What names no file goes into that of the agent that acted in ``run``.
    """
    if fix is None or leaks(fix, case):
        return None
    file = None if fix.file else acting_file(case, run)
    return located(fix.model_copy(update={"file": file.path}) if file else fix, case.prompt_files)


def leaks(fix: SuggestedFix, case: Case) -> bool:
    """Tell whether a fix carries what belongs to the case alone.

    That is an expected or forbidden value, an id, a figure or a name of the trace, or words of the question or the
    expectation: with it the prompt would know the answer instead of the rule.
    """
    before = set(fix.before.splitlines())
    added = "\n".join(each for each in fix.after.splitlines() if each not in before)
    return case_values.repeated_in(added, case) is not None


def acting_file(case: Case, run: Run | None) -> PromptFile | None:
    """Return the prompt file of the agent that acts in ``run``, ``None`` where it is not clear which it is."""
    if run is None:
        return None
    prompts = [prompt for prompt in case.prompts if prompt.kind in {"system", "template"}]
    given = [(prompt, frozenset(prompt.run_ids)) for prompt in prompts]
    around = (run, *_callers(case.trace, run))
    own = next(
        (found for each in around if (found := [prompt for prompt, run_ids in given if each.id in run_ids])), prompts
    )
    files = prompt_versions.written(own, case.prompt_files)
    return files[0] if len(files) == 1 else None


def _callers(trace: Trace, run: Run) -> Iterator[Run]:
    """Yield the runs that may have had a prompt for ``run``: what it did inside, beside and around it."""
    for each in (run, *trace.ancestors(run)):
        yield from reversed(trace.children.get(each.id, ()))
        yield each


def located(fix: SuggestedFix, files: Sequence[PromptFile]) -> SuggestedFix:
    """Return the fix with the prompt file that it changes and a unified diff, where its text is found in one.

    A file that is none of ``files`` is not named: no one but the suite says which files there are.
    """
    named = _named(fix.file, files)
    first = [named] if named else []
    # A text without a passage belongs to the end of the file that is named, and nowhere else.
    for file in [*first, *files] if fix.before.strip() else first:
        found = edit(fix, file.text)
        if found is not None:
            changed = found.applied(file.text)
            return fix.model_copy(update={"file": file.path, "diff": unified(file.path, file.text, changed)})
    return fix.model_copy(update={"file": named.path if named else None, "diff": ""})


def _named(name: str | None, files: Iterable[PromptFile]) -> PromptFile | None:
    """Return the file of this path; of its last part, where only one has it."""
    if not name:
        return None
    candidates = [file for file in files if file.path == name] or [
        file for file in files if PurePosixPath(file.path).name == PurePosixPath(name).name
    ]
    return candidates[0] if len(candidates) == 1 else None


def edit(fix: SuggestedFix, text: str) -> Edit | None:
    """Return the change of ``text`` that the fix asks for, ``None`` where its passage is not there, or is ambiguous.

    The passage is looked for as it stands, then with white space folded. A fix without one adds to the end. What only
    adds behind a passage that stands in several places goes behind the last.
    """
    after = _with_newlines_of(text, fix.after)
    if not fix.before.strip():
        return _at_the_end(text, after)
    places = list(_places(fix.before, text))
    if not places or (len(places) > 1 and not fix.after.startswith(fix.before)):
        return None
    found = _narrowed(text, *places[-1], after)
    return None if found.applied(text) == text else found


def _at_the_end(text: str, added: str) -> Edit:
    newline = _newline(text)
    before = newline if text and not text.endswith("\n") else ""
    return Edit(len(text), len(text), f"{before}{added.strip(newline)}{newline}")


def _narrowed(text: str, start: int, end: int, after: str) -> Edit:
    """Return the edit without the passage itself where it only adds to it: several may add to one place."""
    passage = text[start:end]
    if after.startswith(passage):
        return Edit(end, end, after[len(passage) :])
    if after.endswith(passage):
        return Edit(start, start, after[: -len(passage)])
    return Edit(start, end, after)


def _places(passage: str, text: str) -> Iterator[tuple[int, int]]:
    exact = _with_newlines_of(text, passage)
    pattern = re.escape(exact) if exact in text else r"\s+".join(map(re.escape, passage.split()))
    return (found.span() for found in re.finditer(pattern, text))


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _with_newlines_of(text: str, added: str) -> str:
    return re.sub(r"\r?\n", lambda _: _newline(text), added)


def unified(path: str, before: str, after: str) -> str:
    """Return the difference as ``git apply`` reads it, behind a header that names ``path``.

    Lines end where git ends them, at line feeds alone, and keep their carriage returns.
    """
    hunks = difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), quoted(f"a/{path}"), quoted(f"b/{path}"))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in hunks)


def quoted(name: str) -> str:
    r"""Return a file's name as patches have it: in quotes, with octal bytes, where a character would mislead."""
    if name.isprintable() and not set(name) & set('"\\'):
        return f"{name}\t" if " " in name else name
    return '"' + "".join(map(_octal, name.encode("utf-8", "surrogateescape"))) + '"'


def _octal(byte: int) -> str:
    character = chr(byte)
    return character if character.isprintable() and byte < 128 and character not in '"\\' else f"\\{byte:03o}"  # noqa: PLR2004
