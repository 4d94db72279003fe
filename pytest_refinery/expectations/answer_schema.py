"""The one module that knows jsonschema, which only the check ``output: {json_schema: ...}`` needs."""

from __future__ import annotations

import re
from typing import Any

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations.verdicts import quoted

# ruff: noqa: PLC0415  (jsonschema is an extra, and slow to load: only who uses it pays for it)


def fault(schema: dict[str, Any]) -> str | None:
    """Return what makes ``schema`` no JSON Schema; ``None`` where it is one, or nobody here can tell."""
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
        msg = "The check output.json_schema needs the package jsonschema: pip install 'pytest-refinery[jsonschema]'."
        raise CheckError(msg) from error
    # An empty registry: a reference to another address is an error, never a download.
    validator = jsonschema.validators.validator_for(schema)(schema, registry=referencing.Registry())
    try:
        worst = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except (referencing.exceptions.Unresolvable, re.error, RecursionError) as error:
        msg = f"The schema of output.json_schema cannot be used: {error}."
        raise CheckError(msg) from error
    return None if worst is None else f"{quoted(worst.message)} at {worst.json_path}"
