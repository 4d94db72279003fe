"""A run as each version of the API writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Run = dict[str, Any]

_V1_ALWAYS = ("id", "name", "run_type", "status", "trace_id", "dotted_order")
_SIDES = ("inputs", "outputs")


def v1(run: Run, fields: Sequence[str], store_apart: Callable[[Run, str], str], *, is_public: bool = False) -> Run:
    """Return a run as v1 writes it: what is required, and the fields asked for.

    Args:
        run: Its record.
        fields: Those asked for.
        store_apart: Returns the address of a side that is stored apart.
        is_public: Whether anybody may see it.
    """
    shown = {name: run.get(name) for name in fields if name not in _SIDES and not name.endswith("_s3_urls")}
    shown |= {name: run[name] for name in _V1_ALWAYS}
    if not is_public:
        shown |= {"session_id": run["session_id"], "app_path": f"/o/x/projects/p/{run['session_id']}/r/{run['id']}"}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if name in shown:
            shown[name] = run.get(name) or 0
    for side in _SIDES:
        if side in fields:
            shown |= _side(run, side, store_apart)
    return shown


def _side(run: Run, side: str, store_apart: Callable[[Run, str], str]) -> Run:
    if not run.get("is_stored_apart") or run.get(side) is None:
        return {side: run.get(side), f"{side}_s3_urls": None}
    return {side: None, f"{side}_s3_urls": {"ROOT": {"presigned_url": store_apart(run, side), "s3_url": None}}}


def v2(run: Run, fields: Sequence[str], ancestors: Sequence[str]) -> Run:
    """Return a run as v2 writes it: the fields asked for, the id alone where there are none."""
    whole = {
        "ID": run["id"],
        "NAME": run["name"],
        "RUN_TYPE": str(run["run_type"]).upper(),
        "STATUS": str(run["status"]).upper(),
        "START_TIME": run["start_time"],
        "END_TIME": run.get("end_time"),
        "ERROR": run.get("error"),
        "EXTRA": run.get("extra"),
        "METADATA": (run.get("extra") or {}).get("metadata"),
        "INPUTS": run.get("inputs"),
        "OUTPUTS": run.get("outputs"),
        "MANIFEST": run.get("serialized"),
        "PARENT_RUN_IDS": list(ancestors),
        "PROJECT_ID": run["session_id"],
        "TRACE_ID": run["trace_id"],
        "DOTTED_ORDER": run["dotted_order"],
        "TAGS": run.get("tags"),
        "PROMPT_TOKENS": run.get("prompt_tokens"),
        "COMPLETION_TOKENS": run.get("completion_tokens"),
        "TOTAL_TOKENS": run.get("total_tokens"),
    }
    chosen = {name: whole.get(name) for name in fields or ("ID",)}
    return {name.lower(): value for name, value in chosen.items() if value is not None}


def ancestors_of(run: Run, by_id: dict[str, Run]) -> list[str]:
    """Return the ids of the runs above one, the root first."""
    found: list[str] = []
    parent = run.get("parent_run_id")
    while parent in by_id and parent not in found:
        found.insert(0, str(parent))
        parent = by_id[parent].get("parent_run_id")
    return found
