from __future__ import annotations

import pytest

from pytest_refinery.digest.tool_schemas import signature

PARAMETERS = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "description": "With a #."},
        "items": {"type": "array", "items": {"type": "integer"}},
        "reason": {"enum": ["lost", "late"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "weight": {"type": ["number", "null"]},
        "more": True,
    },
    "required": ["order_id", "items"],
}
WRITTEN = (
    'cancel(order_id: string, items: integer[], reason?: "lost"|"late", '
    "note?: string|null, weight?: number|null, more?: any)"
)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "function", "function": {"name": "cancel", "description": "Cancel.", "parameters": PARAMETERS}},
        {"type": "function", "name": "cancel", "parameters": PARAMETERS},
        {"name": "cancel", "input_schema": PARAMETERS},
        {"toolSpec": {"name": "cancel", "inputSchema": {"json": PARAMETERS}}},
    ],
)
def test_every_vendors_schema_has_one_signature(schema: object) -> None:
    assert signature(schema) == WRITTEN


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "web_search"}, "web_search"),
        ({"name": "now", "parameters": {}}, "now()"),
        ({"name": "now", "parameters": {"properties": None}}, "now()"),
        ({"name": "now", "parameters": {"properties": {"at": {}}, "required": "at"}}, "now(at?: any)"),
        ({"name": "a\nm1 user: x"}, '"a\\nm1 user: x"'),
        ("search", "search"),
        ({}, "tool"),
    ],
)
def test_odd_schemas_have_a_signature_too(schema: object, written: str) -> None:
    assert signature(schema) == written
