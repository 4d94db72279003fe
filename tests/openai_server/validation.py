"""What the service refuses, and how it says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.responses.response_includable import ResponseIncludable

from tests.openai_server.messages import JsonObject, ServiceError
from tests.openai_server.strict_schemas import refuse_unsupported_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_MOST_PAIRS, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")
_COMPOUNDS = ("and", "or")
_FORMATS = ("text", "json_object", "json_schema")
_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_SEARCH_PARAMS = ("type", "vector_store_ids", "filters", "max_num_results", "ranking_options")
_FORMAT_PARAMS = ("type", "name", "schema", "strict", "description")
# These think before they answer; the later ones accept a temperature where told not to think.
_REASONING = re.compile(r"o\d|gpt-[5-9]|codex")
_ALWAYS_REASONING = re.compile(r"o\d|gpt-5(?![.\d])|gpt-5\.6|gpt-[6-9]|codex")


def is_reasoning(model: str) -> bool:
    """Tell whether the model thinks before it answers."""
    return _REASONING.match(model) is not None and "chat" not in model


def file(body: JsonObject) -> None:
    """Check the fields of an upload."""
    _require(body, "purpose")
    _one_of(body["purpose"], "purpose", _PURPOSES)
    if "expires_after" in body:
        _one_of(body["expires_after"].get("anchor"), "expires_after.anchor", ("created_at",))
        _integer(body["expires_after"].get("seconds"), "expires_after.seconds", least=3_600, most=2_592_000)


def vector_store(body: JsonObject) -> None:
    """Check a new or changed vector store."""
    _pairs(body.get("metadata"), "metadata")
    _chunking(body.get("chunking_strategy"), "chunking_strategy")
    _most_items(body.get("file_ids"), "file_ids", 500)
    lasting = body.get("expires_after")
    if lasting is not None:
        _one_of(lasting.get("anchor"), "expires_after.anchor", ("last_active_at",))
        _integer(lasting.get("days"), "expires_after.days", least=1, most=365)


def attached_file(body: JsonObject, where: str = "") -> None:
    """Check what is said of a file that goes into a store."""
    _require(body, "file_id", where)
    _attachment(body, where)


def attributes(body: JsonObject) -> None:
    """Check the new attributes of a file."""
    known_parameters(body, ("attributes",))
    _require(body, "attributes")
    _pairs(body["attributes"], "attributes")


def batch(body: JsonObject) -> None:
    """Check a batch of files."""
    if "files" not in body:
        _require(body, "file_ids")
    _attachment(body, "")
    for name in ("file_ids", "files"):
        _most_items(body.get(name), name, 2_000)
    for index, one in enumerate(body.get("files", ())):
        attached_file(one, f"files[{index}].")


def search(body: JsonObject) -> None:
    """Check a search in one store."""
    _require(body, "query")
    _search_options(body, "")


def response(body: JsonObject) -> None:
    """Check a request for a response; whether the model exists is checked elsewhere."""
    _require(body, "model")
    for name in ("background", "conversation", "previous_response_id", "stream"):
        if body.get(name):
            raise ServiceError(f"'{name}' is not offered by this server.", param=name, code="unsupported_parameter")
    _integer(body.get("max_output_tokens"), "max_output_tokens", least=16)
    _pairs(body.get("metadata"), "metadata")
    for index, name in enumerate(body.get("include") or ()):
        _one_of(name, f"include[{index}]", get_args(ResponseIncludable))
    input_tokens(body)
    _sampling(body)


def input_tokens(body: JsonObject) -> None:
    """Check what a request for a response shares with one for its count of tokens."""
    _format((body.get("text") or {}).get("format"))
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") == "file_search":
            _file_search(tool, f"tools[{index}].")


def known_parameters(body: Mapping[str, object], known: Collection[str], where: str = "") -> None:
    """Refuse a parameter that does not exist."""
    for name in body:
        if name not in known:
            raise ServiceError(f"Unknown parameter: '{where}{name}'.", param=f"{where}{name}", code="unknown_parameter")


def parameters_of(params: type) -> frozenset[str]:
    """Return the names of the SDK's typed parameters."""
    shared = {"stream"} if params is ResponseCreateParamsNonStreaming else set()
    return frozenset(params.__annotations__) | shared


def _sampling(body: JsonObject) -> None:
    _number(body.get("temperature"), "temperature", most=2)
    _number(body.get("top_p"), "top_p", most=1)
    effort = (body.get("reasoning") or {}).get("effort")
    if is_reasoning(body["model"]):
        is_thinking = _ALWAYS_REASONING.match(body["model"]) or effort not in {None, "none"}
        refused = [name for name in ("temperature", "top_p") if body.get(name) is not None and is_thinking]
    else:
        refused = ["reasoning.effort"] if effort else []
    for name in refused:
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        raise ServiceError(message, param=name, code="unsupported_parameter")


def _format(given: JsonObject | None) -> None:
    if given is None:
        return
    where = "text.format."
    _require(given, "type", where)
    _one_of(given["type"], f"{where}type", _FORMATS)
    if given["type"] != "json_schema":
        return
    _require(given, "name", where)
    _require(given, "schema", where)
    known_parameters(given, _FORMAT_PARAMS, where)
    if re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", given["name"]) is None:
        message = (
            f"Invalid '{where}name': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$'."
        )
        raise ServiceError(message, param=f"{where}name", code="invalid_value")
    if given.get("strict"):
        refuse_unsupported_schema(given["schema"], given["name"])


def _file_search(tool: JsonObject, where: str) -> None:
    known_parameters(tool, _SEARCH_PARAMS, where)
    _require(tool, "vector_store_ids", where)
    _search_options(tool, where)


def _search_options(options: JsonObject, where: str) -> None:
    _integer(options.get("max_num_results"), f"{where}max_num_results", least=1, most=50)
    _filters(options.get("filters"), f"{where}filters")
    threshold = (options.get("ranking_options") or {}).get("score_threshold")
    _number(threshold, f"{where}ranking_options.score_threshold", most=1)


def _filters(given: JsonObject | None, where: str) -> None:
    if given is None:
        return
    _require(given, "type", f"{where}.")
    _one_of(given["type"], f"{where}.type", (*_COMPARISONS, *_COMPOUNDS))
    is_compound = given["type"] in _COMPOUNDS
    needed = ("type", "filters") if is_compound else ("type", "key", "value")
    for name in needed:
        _require(given, name, f"{where}.")
    known_parameters(given, needed, f"{where}.")
    if is_compound:
        for index, part in enumerate(given["filters"]):
            _filters(part, f"{where}.filters[{index}]")
    elif isinstance(given["value"], list) != (given["type"] in {"in", "nin"}):
        expected = "an array" if given["type"] in {"in", "nin"} else "a string, number or boolean"
        _refuse_type(given["value"], f"{where}.value", expected)


def _attachment(body: JsonObject, where: str) -> None:
    _pairs(body.get("attributes"), f"{where}attributes", others=(int, float, bool))
    _chunking(body.get("chunking_strategy"), f"{where}chunking_strategy")


def _chunking(given: JsonObject | None, where: str) -> None:
    if given is None:
        return
    _one_of(given.get("type"), f"{where}.type", ("auto", "static"))
    if given["type"] == "auto":
        return
    _require(given, "static", f"{where}.")
    static = given["static"]
    for name in ("max_chunk_size_tokens", "chunk_overlap_tokens"):
        _require(static, name, f"{where}.static.")
    size = static["max_chunk_size_tokens"]
    _integer(size, f"{where}.static.max_chunk_size_tokens", least=100, most=4_096)
    _integer(static["chunk_overlap_tokens"], f"{where}.static.chunk_overlap_tokens", least=0, most=size // 2)


def _pairs(given: JsonObject | None, where: str, *, others: tuple[type, ...] = ()) -> None:
    """Check metadata or attributes; their values are strings or one of the ``others``."""
    if given is None:
        return
    if len(given) > _MOST_PAIRS:
        message = (
            f"Invalid '{where}': too many properties. Expected an object with at most {_MOST_PAIRS} properties, "
            f"but got an object with {len(given)} properties instead."
        )
        raise ServiceError(message, param=where, code="object_above_max_properties")
    for key, value in given.items():
        _longest(key, where, _LONGEST_KEY)
        if isinstance(value, str):
            _longest(value, f"{where}.{key}", _LONGEST_VALUE)
        elif not isinstance(value, others or str):
            _refuse_type(value, f"{where}.{key}", "a string")


def _require(body: Mapping[str, object], name: str, where: str = "") -> None:
    if body.get(name) is None:
        message = f"Missing required parameter: '{where}{name}'."
        raise ServiceError(message, param=f"{where}{name}", code="missing_required_parameter")


def _one_of(value: object, where: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        names = ", ".join(f"'{name}'" for name in allowed)
        message = f"Invalid value: '{value}'. Supported values are: {names}."
        raise ServiceError(message, param=where, code="invalid_value")


def _integer(value: object, where: str, *, least: int, most: int | None = None) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse_type(value, where, "an integer")
    elif value < least:
        _refuse_size(where, "integer", "below minimum", f">= {least}", value)
    elif most is not None and value > most:
        _refuse_size(where, "integer", "above maximum", f"<= {most}", value)


def _number(value: object, where: str, *, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        _refuse_type(value, where, "a decimal")
    elif value < 0:
        _refuse_size(where, "decimal", "below minimum", ">= 0", value)
    elif value > most:
        _refuse_size(where, "decimal", "above maximum", f"<= {most}", value)


def _most_items(given: Sequence[object] | None, where: str, most: int) -> None:
    if given is not None and len(given) > most:
        message = (
            f"Invalid '{where}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(given)} instead."
        )
        raise ServiceError(message, param=where, code="array_above_max_length")


def _longest(text: str, where: str, most: int) -> None:
    if len(text) > most:
        message = (
            f"Invalid '{where}': string too long. Expected a string with maximum length {most}, "
            f"but got a string with length {len(text)} instead."
        )
        raise ServiceError(message, param=where, code="string_above_max_length")


def _refuse_size(where: str, kind: str, place: str, expected: str, value: float) -> None:
    message = f"Invalid '{where}': {kind} {place} value. Expected a value {expected}, but got {value} instead."
    code = f"{kind}_{place.replace(' ', '_').removesuffix('imum')}_value"
    raise ServiceError(message, param=where, code=code)


def _refuse_type(value: object, where: str, expected: str) -> None:
    message = f"Invalid type for '{where}': expected {expected}, but got {_TYPES[type(value)]} instead."
    raise ServiceError(message, param=where, code="invalid_type")


_TYPES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
