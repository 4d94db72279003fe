"""What leaves the process: cases on their way to an analyst, records on their way to reports, both without secrets."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import prompts

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.scrubbing.scrubber import Scrubber


def scrubbed_case(case: Case, scrubber: Scrubber) -> Case:
    """Return a case without secrets: all that an analyst, a cache and a picture may know of it."""
    trace = scrubber.trace(case.trace)
    done: dict[str, Any] = {"trace": trace}
    if case.prompts is prompts.extract(case.trace):
        # Those of a trace without secrets have none, and are read once.
        done["prompts"] = prompts.extract(trace)
    others = {
        field.name: _scrubbed(getattr(case, field.name), scrubber) for field in fields(case) if field.name not in done
    }
    return replace(case, **done, **others)


def scrubbed_record(record: ItemRecord, scrubber: Scrubber) -> ItemRecord:
    """Return a record without secrets; what names the item stays, so that it is found again."""
    before: Any = record.model_dump(mode="json", exclude={"nodeid"})
    after: Any = scrubber.json(before)
    return record if after is before else type(record).model_validate({**after, "nodeid": record.nodeid})


def _scrubbed(value: Any, scrubber: Scrubber) -> Any:  # noqa: ANN401  (values of a case)
    if isinstance(value, str):
        return scrubber.text(value)
    if isinstance(value, tuple | list):
        found = [_scrubbed(item, scrubber) for item in value]
        return type(value)(*found) if hasattr(value, "_fields") else type(value)(found)
    if isinstance(value, dict):
        return scrubber.json(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _scrubbed(getattr(value, field.name), scrubber) for field in fields(value)}
        )
    if hasattr(value, "model_copy"):
        return value.model_copy(
            update={name: _scrubbed(getattr(value, name), scrubber) for name in type(value).model_fields}
        )
    return value
