"""Expectation files, read whole: either all of their expectations, or all of their problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.errors import ExpectationFileError, Problem
from pytest_refinery.expectations import sentences, yaml_document
from pytest_refinery.expectations.model import Expectation, ExpectationFile
from pytest_refinery.expectations.severity import Severity
from pytest_refinery.expectations.verdicts import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.expectations.model import ExpectationEntry
    from pytest_refinery.expectations.yaml_document import Document

_SLUG_WORDS = 8
_SLUG_LENGTH = 60
# What says which trace is judged: a recorded one, or that of an agent called with these.
_SUBJECTS = frozenset({"trace", "inputs"})


def load(
    path: Path, *, custom: Collection[str] = (), refuse_tag: Callable[[str], str | None] = lambda _: None
) -> tuple[Expectation, ...]:
    """Return the expectations of a file, in its order.

    Args:
        path: The file; messages name it as given.
        custom: The names of checks that hooks contribute.
        refuse_tag: Returns why a tag cannot be used, ``None`` where it can.

    Raises:
        ExpectationFileError: With every problem of the file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = Problem(1, 1, f"The file cannot be read: {error.strerror}.")
        raise _error(str(path), [problem]) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(str(path), [_not_utf8(error)]) from error
    return parse(text, source=str(path), custom=custom, refuse_tag=refuse_tag)


def parse(
    text: str,
    *,
    source: str,
    custom: Collection[str] = (),
    refuse_tag: Callable[[str], str | None] = lambda _: None,
) -> tuple[Expectation, ...]:
    """Return the expectations in ``text``, as ``load`` does; messages name ``source``."""
    document = _document(text, source=source)
    file, found = _validated(document, custom=custom)
    # A value that could not be read stands in the document as empty: its problem is known.
    known = {(problem.line, problem.column) for problem in document.problems}
    found += _refused_tags(document, refuse_tag)
    problems = [*document.problems, *(problem for problem in found if (problem.line, problem.column) not in known)]
    if file is None or problems:
        raise _error(source, problems)
    return tuple(_expectations(file, document))


def _error(source: str, problems: Iterable[Problem]) -> ExpectationFileError:
    return ExpectationFileError(source, [problem._replace(message=visible(problem.message)) for problem in problems])


def _not_utf8(error: UnicodeDecodeError) -> Problem:
    before = error.object[: error.start].decode()
    byte = error.object[error.start]
    line, column = yaml_document.position(before, len(before))
    return Problem(line, column, f"The file is not UTF-8 (byte 0x{byte:02x}); save it again as UTF-8.")


def _document(text: str, *, source: str) -> Document:
    try:
        document = yaml_document.read(text)
    except yaml_document.NotYaml as error:
        raise _error(source, [error.problem]) from error
    if document is None or document.value is None:
        raise _error(source, [Problem(1, 1, f"The file is empty. {sentences.NO_EXPECTATION}")])
    if not isinstance(document.value, dict):
        place = document.place(())
        raise _error(source, [Problem(place.line, place.column, _no_mapping(document.value))])
    return document


def _no_mapping(value: object) -> str:
    hint = " Put 'expectations:' above the list." if isinstance(value, list) else ""
    return f"The file must be a mapping with the key 'expectations'.{hint}"


def _validated(document: Document, *, custom: Collection[str]) -> tuple[ExpectationFile | None, list[Problem]]:
    """Return the file, where it has the right shape, and all that is wrong with it."""
    # On the values as they are read, so that the shape is not corrected only to learn of these.
    problems = [*_without_trace(document), *_repeated_ids(document)]
    try:
        return ExpectationFile.model_validate(document.value, context={"custom": custom}), problems
    except ValidationError as error:
        return None, [*problems, *sentences.problems(error, document)]


def _entries(document: Document) -> dict[int, dict[str, object]]:
    """Return the expectations that are mappings, as they are read, by their index."""
    found = document.value.get("expectations") if isinstance(document.value, dict) else None
    entries = enumerate(found if isinstance(found, list) else [])
    return {index: entry for index, entry in entries if isinstance(entry, dict)}


def _without_trace(document: Document) -> Iterator[Problem]:
    entries = _entries(document)
    without = [("expectations", index) for index, entry in entries.items() if entry.keys().isdisjoint(_SUBJECTS)]
    if isinstance(document.value, dict) and not document.value.keys().isdisjoint(_SUBJECTS):
        return
    for location in without[:1] if len(without) == len(entries) else without:
        place = document.place(location)
        yield Problem(
            place.line, place.column, "There is no trace: give the expectation, or the whole file, a 'trace:'."
        )


def _refused_tags(document: Document, refuse: Callable[[str], str | None]) -> Iterator[Problem]:
    whole = [((), document.value)] if isinstance(document.value, dict) else []
    parts = [(("expectations", index), entry) for index, entry in _entries(document).items()]
    for location, mapping in [*whole, *parts]:
        tags = mapping.get("tags")
        places = enumerate(tags) if isinstance(tags, list) else [(None, tags)]
        for index, tag in places:
            if isinstance(tag, str) and (why := refuse(tag)):
                place = document.place((*location, "tags") if index is None else (*location, "tags", index))
                yield Problem(place.line, place.column, why)


def _repeated_ids(document: Document) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for index, entry in _entries(document).items():
        id_, place = entry.get("id"), document.place(("expectations", index, "id"))
        if not isinstance(id_, str):
            continue
        # Recordings are named after ids, and some file systems do not tell case.
        key = id_.strip().casefold()
        if key in lines:
            yield Problem(place.line, place.column, f"The id '{id_}' is already used in line {lines[key]}.")
        lines.setdefault(key, place.line)


def _expectations(file: ExpectationFile, document: Document) -> Iterator[Expectation]:
    ids = _ids(file.expectations)
    for index, (id_, entry) in enumerate(zip(ids, file.expectations, strict=True)):
        yield Expectation(
            id=id_,
            expect=entry.expect,
            business_context=entry.why or "",
            severity=entry.severity or Severity.MEDIUM,
            trace=entry.trace or file.trace,
            project=entry.project or file.project,
            agent=entry.agent or file.agent,
            inputs=file.inputs if entry.inputs is None else entry.inputs,
            prompts=_joined(file.prompts, entry.prompts),
            evals=_joined(file.evals, entry.evals),
            tags=_joined(file.tags, entry.tags),
            checks=entry.checks,
            trials=entry.trials or 1,
            pass_rate=entry.pass_rate or 1.0,
            line=document.place(("expectations", index)).line,
        )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _ids(entries: tuple[ExpectationEntry, ...]) -> Iterator[str]:
    """Yield the id of each entry: the explicit one, or one made of its sentence that no one else has."""
    taken = {entry.id.casefold() for entry in entries if entry.id is not None}
    for entry in entries:
        yield entry.id or _free(slug(entry.expect), taken)


def _free(wanted: str, taken: set[str]) -> str:
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name


def slug(sentence: str) -> str:
    """Return the first words of a sentence as an id: ``The agent says "no".`` is ``the-agent-says-no``."""
    words = re.findall(r"\w+", re.sub(r"['’]", "", sentence.casefold()))  # noqa: RUF001
    return "-".join(words[:_SLUG_WORDS])[:_SLUG_LENGTH].strip("-") or "expectation"
