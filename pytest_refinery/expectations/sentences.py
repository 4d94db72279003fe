"""pydantic's errors as problems of an expectation file: finished sentences, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.errors import Problem, did_you_mean
from pytest_refinery.expectations import model
from pytest_refinery.expectations.verdicts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from pytest_refinery.expectations.yaml_document import Document, Location

NO_EXPECTATION = "There is no expectation in the file: list them under 'expectations:', each with its 'expect:'."
_MISSING = {
    "expect": "'expect' is missing: say in one sentence what should have happened.",
    "expectations": NO_EXPECTATION,
}
_WANTED = {
    "null": "a value",
    "string_type": "a text",
    "string_too_short": "a text",
    "tuple_type": "a list",
    "too_short": "at least one item",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "literal_error": "true, or be left out",
    "dict_type": "a mapping of 'key: value'",
    "model_type": "a mapping of 'key: value'",
}


def problems(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Yield one problem for each thing that pydantic has found."""
    for entry in error.errors(include_url=False):
        if entry["type"] == "too_short" and entry["input"]:
            continue  # Its items are wrong, so that none is left; they have problems of their own.
        location = _location(entry, document)
        find_place = document.key_place if entry["type"] == "extra_forbidden" else document.place
        place = find_place(location)
        yield Problem(place.line, place.column, _sentence(entry, location, document))


def _location(entry: ErrorDetails, document: Document) -> Location:
    location = tuple(part for part in entry["loc"] if part != "[key]")
    # One item that stands for a list of one has no index in the file.
    stands_alone = bool(location) and isinstance(location[-1], int) and location not in document.places
    return location[:-1] if stands_alone else location


def _sentence(entry: ErrorDetails, location: Location, document: Document) -> str:
    field = next((part for part in reversed(location) if isinstance(part, str)), "expectations")
    match entry["type"]:
        case "refinery":
            return entry["msg"]
        case "extra_forbidden":
            return _unknown_key(field, model.keys_at(location[:-1]))
        case "missing":
            return _MISSING.get(field, f"'{field}' is missing.")
        case "too_short" if field in _MISSING:
            return _MISSING[field]
    subject = f"An item of '{field}'" if location and isinstance(location[-1], int) else f"'{field}'"
    return f"{subject} {_fault(entry, document.written.get(location))}"


def _unknown_key(key: str, known: tuple[str, ...]) -> str:
    listing = f" The keys here are {', '.join(known)}."
    return f"Unknown key '{key}'.{did_you_mean(key, known) or listing}"


def _fault(entry: ErrorDetails, written: str | None) -> str:
    wanted = _WANTED.get(entry["type"], "something else").format(**entry.get("ctx", {}))
    if entry["input"] is None or entry["type"] in {"string_too_short", "too_short"}:
        return f"is empty; give it {wanted}, or remove it."
    if entry["type"] == "string_type" and written is not None:
        return f'must be a text; write it in quotes: "{written}".'
    return f"must be {wanted}, not {_given(entry['input'], written)}."


def _given(value: object, written: str | None) -> str:
    if written is not None:
        return quoted(written)
    return "a list" if isinstance(value, list) else "a mapping"
