"""JSON schemas of structured answers: which are refused, and the smallest answer to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.openai_server.messages import JsonObject, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NOT_PERMITTED = (
    *("allOf", "default", "dependentRequired", "dependentSchemas", "else", "if", "not", "oneOf", "then"),
    *("patternProperties", "prefixItems", "unevaluatedProperties", "uniqueItems"),
)
_MOST_LEVELS = 10
_MOST_PROPERTIES = 5_000

Context = tuple[str, ...]


def refuse_unsupported_schema(schema: JsonObject, name: str) -> None:
    """Refuse what strict structured output does not accept."""
    problem = next(_problems(schema), None)
    if problem is not None:
        raise ServiceError(
            f"Invalid schema for response_format '{name}': {problem}",
            param="text.format.schema",
            code="invalid_json_schema",
        )


def completed(schema: JsonObject, answer: object) -> Any:  # noqa: ANN401  (any JSON)
    """Return ``answer`` with the smallest value that fits wherever the schema wants one and it has none."""
    return _completed(schema, answer, schema)


_NOTHING = object()


def smallest(schema: JsonObject) -> Any:  # noqa: ANN401  (any JSON)
    """Return the smallest value that fits the schema."""
    return completed(schema, _NOTHING)


def resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    """Return what a schema stands for: the definition it refers to, or the first alternative that is not null."""
    if "$ref" in schema:
        return resolved(_definition(schema["$ref"], root), root)
    options = [resolved(option, root) for option in schema.get("anyOf", ())]
    real = [option for option in options if option.get("type") != "null"]
    return real[0] if real else schema


def is_nullable(schema: JsonObject, root: JsonObject) -> bool:
    """Tell whether null fits the schema."""
    if "$ref" in schema:
        return is_nullable(_definition(schema["$ref"], root), root)
    kind = schema.get("type")
    return kind == "null" or (isinstance(kind, list) and "null" in kind) or _has_null(schema, root)


def _has_null(schema: JsonObject, root: JsonObject) -> bool:
    return any(is_nullable(option, root) for option in schema.get("anyOf", ()))


def _completed(schema: JsonObject, answer: object, root: JsonObject) -> Any:  # noqa: ANN401  (any JSON)
    if answer is None or (answer is _NOTHING and is_nullable(schema, root)):
        return None
    plain = resolved(schema, root)
    if isinstance(answer, dict) or (answer is _NOTHING and plain.get("type") == "object"):
        given = {} if answer is _NOTHING else dict(answer)  # type: ignore[call-overload]
        wanted = plain.get("properties", {})
        return given | {key: _completed(part, given.get(key, _NOTHING), root) for key, part in wanted.items()}
    if isinstance(answer, list | tuple):
        return [_completed(plain.get("items", {}), item, root) for item in answer]
    return _smallest(plain, root) if answer is _NOTHING else answer


def _smallest(schema: JsonObject, root: JsonObject) -> Any:  # noqa: ANN401  (any JSON)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "array":
        return [_completed(schema["items"], _NOTHING, root) for _ in range(schema.get("minItems", 0))]
    plain: dict[str, object] = {
        "string": "-" * schema.get("minLength", 0),
        "integer": schema.get("minimum", 0),
        "number": schema.get("minimum", 0),
        "boolean": False,
    }
    return plain[kind if isinstance(kind, str) else kind[0]]


def _definition(reference: str, root: JsonObject) -> JsonObject:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found[part] if part else found
    return dict(found)


def _problems(schema: JsonObject) -> Iterator[str]:
    if schema.get("type") != "object":
        yield f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
        return
    parts = list(_parts(schema, ()))
    for context, part in parts:
        yield from _problems_of(part, context)
    for name, definition in schema.get("$defs", {}).items():
        for context, part in _parts(definition, ("$defs", name)):
            yield from _problems_of(part, context)
    if sum(len(part.get("properties", {})) for _, part in parts) > _MOST_PROPERTIES:
        yield f"Too many properties. Expected at most {_MOST_PROPERTIES}."


def _parts(schema: JsonObject, context: Context) -> Iterator[tuple[Context, JsonObject]]:
    yield context, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, (*context, "properties", name))
    if "items" in schema:
        yield from _parts(schema["items"], (*context, "items"))
    for index, option in enumerate(schema.get("anyOf", ())):
        yield from _parts(option, (*context, "anyOf", str(index)))


def _problems_of(part: Mapping[str, Any], context: Context) -> Iterator[str]:
    where = f"In context={context}, "
    for keyword in _NOT_PERMITTED:
        if keyword in part:
            yield f"{where}'{keyword}' is not permitted."
    if "$ref" in part and len(part) > 1:
        yield f"{where}$ref cannot have keywords {set(part) - {'$ref'}}."
    if sum(step == "properties" for step in context) > _MOST_LEVELS:
        yield f"{where}the schema is nested more than {_MOST_LEVELS} levels deep."
    if part.get("type") == "object":
        yield from _problems_of_object(part, where)


def _problems_of_object(part: Mapping[str, Any], where: str) -> Iterator[str]:
    if part.get("additionalProperties") is not False:
        yield f"{where}'additionalProperties' is required to be supplied and to be false."
    missing = set(part.get("properties", {})) - set(part.get("required", ()))
    if missing:
        needed = "'required' is required to be supplied and to be an array including every key in properties."
        yield f"{where}{needed} Missing '{min(missing)}'."
