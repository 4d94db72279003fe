"""The one module that knows jsonschema, which only the check ``output: {json_schema: ...}`` needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import CheckError, needs_package
from pytest_refinery.expectations.fields import search
from pytest_refinery.expectations.verdicts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

# ruff: noqa: PLC0415  (jsonschema is an extra, and slow to load: only who uses it pays for it)


def fault(schema: dict[str, Any]) -> str | None:
    """Return what makes ``schema`` no JSON Schema; ``None`` where it is one, or no one here can tell."""
    try:
        import jsonschema
    except ImportError:
        return None
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"{error.message} at {error.json_path}"
    return None


def violation(value: Any, schema: dict[str, Any]) -> str | None:  # noqa: ANN401  (any JSON)
    """Return how ``value`` violates the schema most tellingly, or ``None`` where it meets it.

    Raises:
        CheckError: The package is missing, or the schema cannot be followed.
    """
    try:
        import jsonschema
        import referencing
    except ImportError as error:
        raise CheckError(needs_package("The check output.json_schema", "jsonschema", extra="jsonschema")) from error
    usual = jsonschema.validators.validator_for(schema)
    timed = jsonschema.validators.extend(usual, _TIMED)  # type: ignore[no-untyped-call]
    # An empty registry: a reference to another address is an error, never a download.
    validator = timed(_with_names(schema, _names(value)), registry=referencing.Registry())
    try:
        worst = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except (referencing.exceptions.Unresolvable, re.error, RecursionError) as error:
        msg = f"The schema of output.json_schema cannot be used: {error}."
        raise CheckError(msg) from error
    return None if worst is None else f"{quoted(worst.message)} at {worst.json_path}"


def _names(value: Any) -> set[str]:  # noqa: ANN401  (any JSON)
    found: set[str] = set()
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            found.update(item)
        left += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return found


def _with_names(schema: Any, names: set[str]) -> Any:  # noqa: ANN401  (any JSON)
    """Return a schema with the names that match in the place of each pattern of names.

    jsonschema searches for these in several places, without a limit of time.
    """
    if isinstance(schema, list):
        return [_with_names(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "patternProperties" and isinstance(value, dict):
            patterns = enumerate(value.items())
            found[key] = {
                _names_like(each, names, place): _with_names(inner, names) for place, (each, inner) in patterns
            }
        elif key in _MAPS and isinstance(value, dict):
            found[key] = {name: _with_names(inner, names) for name, inner in value.items()}
        else:
            found[key] = value if key in _VALUES else _with_names(value, names)
    return found


def _names_like(pattern: str, names: set[str], place: int) -> str:
    """Return a pattern of the names that match another one; the comment keeps two of them apart."""
    matching = "|".join(re.escape(name) for name in sorted(names) if search(pattern, name))
    return rf"(?#{place})\A(?:{matching})\Z" if matching else f"(?#{place})(?!)"


# Whose members are schemas by name, and what is no schema.
_MAPS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})


# As jsonschema has them, but for the time that a pattern may take.
def _pattern(validator: Any, pattern: str, instance: Any, _: object) -> Iterator[Any]:  # noqa: ANN401  (any JSON)
    import jsonschema

    if validator.is_type(instance, "string") and not search(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _additional_properties(validator: Any, wanted: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:  # noqa: ANN401
    import jsonschema

    if not validator.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    others = [name for name in instance if name not in known and not any(search(each, name) for each in patterns)]
    if validator.is_type(wanted, "object"):
        for name in others:
            yield from validator.descend(instance[name], wanted, path=name)
    elif not wanted and others:
        verb = "was" if len(others) == 1 else "were"
        names = ", ".join(map(repr, sorted(others)))
        yield jsonschema.ValidationError(f"Additional properties are not allowed ({names} {verb} unexpected)")


_TIMED = {
    "pattern": _pattern,
    "additionalProperties": _additional_properties,
}
