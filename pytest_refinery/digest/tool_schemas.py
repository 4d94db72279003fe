"""Tool schemas as one-line signatures: ``transfer(summary: string, urgent?: boolean)``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_refinery.digest import lines


def signature(schema: object) -> str:
    """Return the signature of a tool schema in any vendor's form; a tool without parameters by its name."""
    if not isinstance(schema, Mapping):
        return lines.name(str(schema))
    for wrapper in ("function", "toolSpec"):
        if isinstance(schema.get(wrapper), Mapping):
            return signature(schema[wrapper])
    title = lines.name(str(schema.get("name") or schema.get("type") or "tool"))
    parameters = _parameters(schema)
    return title if parameters is None else f"{title}({_fields(parameters)})"


def _parameters(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in ("parameters", "input_schema", "inputSchema", "args_schema"):
        found = schema.get(key)
        if isinstance(found, Mapping):
            inner = found.get("json")
            return inner if isinstance(inner, Mapping) else found
    return None


def _fields(parameters: Mapping[str, Any]) -> str:
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping):
        return ""
    listed = parameters.get("required")
    required = listed if isinstance(listed, list) else []
    return ", ".join(
        f"{lines.name(str(name))}{'' if name in required else '?'}: {_type(field)}"
        for name, field in properties.items()
    )


def _type(field: object) -> str:
    if not isinstance(field, Mapping):
        return "any"
    if isinstance(field.get("enum"), list):
        return lines.one_line("|".join(json.dumps(value, ensure_ascii=False) for value in field["enum"]))
    for key in ("anyOf", "oneOf"):
        if isinstance(field.get(key), list):
            return "|".join(_type(option) for option in field[key])
    kind = field.get("type", "any")
    if kind == "array":
        return f"{_type(field.get('items', {}))}[]"
    return "|".join(lines.name(str(word)) for word in kind) if isinstance(kind, list) else lines.name(str(kind))
