"""Requests and answers held against the official specification."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.data_paths import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.langsmith_server.messages import JsonObject, Request

PATH = SHARED / "specs" / "langsmith-runs.openapi.json"
_URI = "urn:langsmith"


class Specification:
    """The paths of the service and what they get and give."""

    def __init__(self, document: JsonObject) -> None:
        self._paths = document["paths"]
        self._registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(document))

    def problem_of_request(self, request: Request) -> str | None:
        """Return what is wrong with a request, ``None`` where nothing is or its kind is unknown."""
        operation = self._operation(request)
        return self._problem_of_query(operation, request) or self._problem(operation.get("requestBody"), request.body)

    def problem_of_answer(self, request: Request, body: object) -> str | None:
        """Return what is wrong with the answer of a request that succeeded.

        Raises:
            LookupError: The specification does not know this kind of request.
        """
        operation = self._operation(request)
        if not operation:
            raise LookupError(request.path)
        return self._problem(operation["responses"]["200"], body)

    def _operation(self, request: Request) -> JsonObject:
        # The specification writes the paths of v2 without what all paths begin with.
        path = request.path.removeprefix("/api") if request.is_v2 else request.path
        for written, operations in self._paths.items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", written), path) and request.method.lower() in operations:
                found: JsonObject = operations[request.method.lower()]
                return found
        return {}

    def _problem_of_query(self, operation: JsonObject, request: Request) -> str | None:
        known = {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == "query"}
        for name in request.query:
            if known and name not in known:
                return f"unknown parameter {name}"
        for name, parameter in known.items():
            if parameter.get("required") and name not in request.query:
                return f"{name} is required"
            allowed = parameter["schema"].get("items", {}).get("enum")
            wrong = [value for value in request.query.get(name, ()) if allowed and value not in allowed]
            if wrong:
                return f"{name}: {wrong[0]} is none of the values"
        return None

    def _problem(self, part: JsonObject | None, body: object) -> str | None:
        schema = (part or {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return None
        schema = json.loads(json.dumps(schema).replace('"#/', f'"{_URI}#/'))
        validator = Draft202012Validator(
            schema, registry=self._registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        error = best_match(validator.iter_errors(body))
        return None if error is None else f"{error.json_path}: {error.message[:300]}"


@cache
def specification(path: Path = PATH) -> Specification | None:
    """Return the specification beside the checkout, ``None`` where it is not there."""
    return Specification(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
