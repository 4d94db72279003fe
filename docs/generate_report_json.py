"""Writes the page of report.json from the models behind it: ``python docs/generate_report_json.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_refinery.analysis.records import Report

PAGE = Path(__file__).parent / "reference" / "report-json.md"
SCHEMA = Path(__file__).parent / "reference" / "report.schema.json"

_INTRODUCTION = """\
# report.json

`pytest --refinery --refinery-report DIR` writes `DIR/report.json`: every expectation of the run, its verdict, and the
diagnosis of what failed. It is UTF-8 JSON; [report.schema.json](report.schema.json) is its JSON Schema.
`schema_version` counts up when a field changes its meaning or goes away; new fields may come at any time. Files of
version 1 are still read wherever reports are read. Version 2 leaves `failure_type` and `root_cause` of a diagnosis null
where the cause was not determined; its `candidates` are then what there is. Since version 3 `is_known` and
`comparison` go by how expectations came out, no longer by the words of their causes, and `trace.is_rerun` is what was
`is_anew` before.
Expectations stand in the order of their files and lines, whatever order they ran in.

`responsible_run_id` and `run_id` are ids as the trace has them; in a chat transcript the 0-based index of the message,
as text. Every quote under `diagnosis.evidence` was found again in the trace.
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema(mode="serialization")}


def page() -> str:
    """Return the whole page."""
    whole = schema()
    objects = {"the file": whole, **whole["$defs"]}
    parts = [_INTRODUCTION, *(_section(name, item) for name, item in objects.items())]
    return "\n".join(parts)


def _section(name: str, item: dict[str, Any]) -> str:
    if name == "the file":
        return "\n".join(["## The file", "", *_table(item), ""])
    about = " ".join(item.get("description", "").partition("\n\n")[0].split())
    body = _table(item) if "properties" in item else ["One of " + ", ".join(f"`{word}`" for word in item["enum"]) + "."]
    return "\n".join([f"## `{name}`", "", about, "", *body, ""])


def _table(item: dict[str, Any]) -> list[str]:
    rows = [f"| `{field}` | {_type(value)} |" for field, value in item["properties"].items()]
    return ["| field | type |", "|---|---|", *rows]


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return f"`{value['$ref'].rpartition('/')[2]}`"
    if "anyOf" in value:
        return " or ".join(_type(option) for option in value["anyOf"])
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}"
    return str(value.get("type", "any"))


def main() -> None:
    """Write the page and the schema."""
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
