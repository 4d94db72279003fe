"""Requests and answers held against the official specification and the SDK's typed parameters."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from pydantic import TypeAdapter, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.data_paths import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.openai_server.messages import JsonObject

PATH = SHARED / "specs" / "openai-responses-files-vector_stores.openapi.json"
_URI = "urn:openai"
# The service sends null where the specification knows only a value or nothing.
_SENT_AS_NULL = {
    "OpenAIFile": ("expires_at", "status_details"),
    "VectorStoreObject": ("expires_after", "name"),
    "ListFilesResponse": ("first_id", "last_id"),
    "ListVectorStoresResponse": ("first_id", "last_id"),
    "ListVectorStoreFilesResponse": ("first_id", "last_id"),
    "ModelResponseProperties": ("user",),
}


class Specification:
    """The paths of the service and what they get and give."""

    def __init__(self, document: JsonObject) -> None:
        _mend(document["components"]["schemas"])
        self._paths = document["paths"]
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)

    def problem_of_request(self, method: str, path: str, body: JsonObject) -> str | None:
        """Return what is wrong with a JSON request, ``None`` where nothing is or the path is unknown.

        Args:
            method: ``POST``.
            path: As the specification writes it: ``/vector_stores/{vector_store_id}``.
            body: The request.
        """
        content = self._operation(method, path).get("requestBody", {}).get("content", {})
        return self._problem(content, body)

    def problem_of_answer(self, method: str, path: str, body: JsonObject) -> str | None:
        """Return what is wrong with the answer of a request that succeeded."""
        content = self._operation(method, path).get("responses", {}).get("200", {}).get("content", {})
        return self._problem(content, body)

    def _operation(self, method: str, path: str) -> JsonObject:
        operation: JsonObject = self._paths.get(path, {}).get(method.lower(), {})
        return operation

    def _problem(self, content: JsonObject, body: JsonObject) -> str | None:
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return None
        error = best_match(self._validator(schema["$ref"]).iter_errors(body))
        return None if error is None else f"{error.json_path}: {error.message[:300]}"

    def _validator(self, reference: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": f"{_URI}{reference}"}, registry=self._registry)


@cache
def specification(path: Path = PATH) -> Specification | None:
    """Return the specification beside the checkout, ``None`` where it is not there."""
    return Specification(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def problem_for_sdk(params: Any, body: JsonObject) -> str | None:  # noqa: ANN401  (a type, or a union of types)
    """Return where a request is not what the SDK's typed parameters allow."""
    # Held by name: what it returns still needs it while being exhausted.
    adapter = _adapter(params)
    try:
        _exhaust(adapter.validate_python(body))
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None


@cache
def _adapter(params: Any) -> TypeAdapter[Any]:  # noqa: ANN401  (as above)
    return TypeAdapter(params)


def _exhaust(value: object) -> None:
    # pydantic checks the items of an Iterable only when they are asked for.
    if isinstance(value, dict):
        _exhaust(list(value.values()))
    elif hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        for item in _items(value):
            _exhaust(item)


def _items(value: Any) -> Iterator[object]:  # noqa: ANN401  (something to iterate)
    yield from value


def _mend(schemas: JsonObject) -> None:
    """Correct the known slips of the specification."""
    compound = schemas["CompoundFilter"]["properties"]["filters"]["items"]
    compound["oneOf"] = [{"$ref": f"#/components/schemas/{name}"} for name in ("ComparisonFilter", "CompoundFilter")]
    # A message without a type is two kinds of item at once.
    schemas["InputItem"]["anyOf"] = schemas["InputItem"].pop("oneOf")
    schemas["CreateVectorStoreRequest"]["properties"]["description"] = {"type": "string"}
    schemas["ResponseUsage"] = _or_null(schemas["ResponseUsage"])
    for name, properties in _SENT_AS_NULL.items():
        for key in properties:
            schemas[name]["properties"][key] = _or_null(schemas[name]["properties"][key])


def _or_null(schema: JsonObject) -> JsonObject:
    return {"anyOf": [schema, {"type": "null"}]}
