"""Expectation files, read whole: either all of their expectations, or all of their problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.errors import ExpectationFileError, Problem
from pytest_refinery.expectations import sentences, yaml_document
from pytest_refinery.expectations.model import Expectation, ExpectationFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pytest_refinery.expectations.model import ExpectationEntry
    from pytest_refinery.expectations.yaml_document import Document

_SLUG_WORDS = 8
_SLUG_LENGTH = 60


def load(path: Path, *, custom: Collection[str] = ()) -> tuple[Expectation, ...]:
    """Return the expectations of a file, in its order.

    Args:
        path: The file; messages name it as given.
        custom: The names of checks that hooks contribute.

    Raises:
        ExpectationFileError: With every problem of the file.
    """
    document, problems = _read(path)
    file, found = _validated(document, custom=custom)
    places = {(problem.line, problem.column) for problem in problems}
    # A value that could not be read stands in the document as empty: its problem is known.
    problems += [problem for problem in found if (problem.line, problem.column) not in places]
    if file is not None:
        problems += _without_trace(file, document)
        problems += _repeated_ids(file, document)
    if file is None or problems:
        raise ExpectationFileError(str(path), problems)
    return tuple(_expectations(file, document))


def _read(path: Path) -> tuple[Document, list[Problem]]:
    try:
        document = yaml_document.read(_text(path))
    except yaml_document.NotYaml as error:
        raise ExpectationFileError(str(path), [error.problem]) from error
    if document is None or document.value is None:
        raise ExpectationFileError(str(path), [Problem(1, 1, f"The file is empty. {sentences.NO_EXPECTATION}")])
    if not isinstance(document.value, dict):
        place = document.place(())
        raise ExpectationFileError(str(path), [Problem(place.line, place.column, _no_mapping(document.value))])
    return document, list(document.problems)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExpectationFileError(str(path), [Problem(1, 1, f"The file cannot be read: {error.strerror}.")]) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = yaml_document.position(before, len(before))
        message = f"The file is not UTF-8 (byte 0x{data[error.start]:02x}); save it again as UTF-8."
        raise ExpectationFileError(str(path), [Problem(line, column, message)]) from error


def _no_mapping(value: object) -> str:
    hint = " Put 'expectations:' above the list." if isinstance(value, list) else ""
    return f"The file must be a mapping with the key 'expectations'.{hint}"


def _validated(document: Document, *, custom: Collection[str]) -> tuple[ExpectationFile | None, list[Problem]]:
    try:
        return ExpectationFile.model_validate(document.value, context={"custom": custom}), []
    except ValidationError as error:
        return None, list(sentences.problems(error, document))


def _without_trace(file: ExpectationFile, document: Document) -> Iterator[Problem]:
    for index, entry in enumerate(file.expectations):
        if file.trace is None and entry.trace is None:
            place = document.place(("expectations", index))
            message = "There is no trace: give the expectation, or the whole file, a 'trace:'."
            yield Problem(place.line, place.column, message)


def _repeated_ids(file: ExpectationFile, document: Document) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for index, entry in enumerate(file.expectations):
        if entry.id is None:
            continue
        place = document.place(("expectations", index, "id"))
        # Recordings are named after ids, and some file systems do not tell case.
        first = lines.setdefault(entry.id.casefold(), place.line)
        if first != place.line:
            yield Problem(place.line, place.column, f"The id '{entry.id}' is already used in line {first}.")


def _expectations(file: ExpectationFile, document: Document) -> Iterator[Expectation]:
    ids = _ids(file.expectations)
    for index, (id_, entry) in enumerate(zip(ids, file.expectations, strict=True)):
        yield Expectation(
            id=id_,
            expect=entry.expect,
            business_context=entry.business_context or "",
            trace=entry.trace or file.trace or "",
            prompts=_joined(file.prompts, entry.prompts),
            tags=_joined(file.tags, entry.tags),
            checks=entry.checks,
            line=document.place(("expectations", index)).line,
        )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _ids(entries: tuple[ExpectationEntry, ...]) -> Iterator[str]:
    """Yield the id of each entry: the explicit one, or one made of its sentence that nobody else has."""
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
