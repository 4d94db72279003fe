"""The types of the fields that experts fill in."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Annotated, NoReturn, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

TextValue = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=0)]
Seconds = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class Shape(BaseModel):
    """A mapping in an expectation file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refuse(sentence: str) -> NoReturn:
    """Raise what ends a validator, with a finished sentence for the user."""
    # Braces in the sentence itself would be read as the template's fields.
    kind, template = "refinery", "{sentence}"
    raise PydanticCustomError(kind, template, {"sentence": sentence})


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern; what Python may think of it in the future is nobody's concern here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern)


def _not_null(value: object) -> object:
    if value is None:
        kind, sentence = "null", "The value is empty."
        raise PydanticCustomError(kind, sentence)
    return value


def _compilable(pattern: str) -> str:
    try:
        compiled(pattern)
    except re.error as error:
        at = "" if error.pos is None else f" at character {error.pos + 1}"
        refuse(f"'{pattern}' is not a regular expression: {error.msg}{at}.")
    except (OverflowError, RecursionError) as error:
        refuse(f"'{pattern}' is not a regular expression that can be used: {error}.")
    return pattern


def _as_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _one_or_many(item: str) -> WithJsonSchema:
    text = {"type": "string", "minLength": 1, **({"format": item} if item else {})}
    return WithJsonSchema({"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]})


T = TypeVar("T")
Omittable: TypeAlias = Annotated[T | None, BeforeValidator(_not_null)]
"""What may be left out, but not left empty: an empty demand would be met by everything."""
Regex = Annotated[str, Field(min_length=1, json_schema_extra={"format": "regex"}), AfterValidator(_compilable)]
Texts = Annotated[tuple[TextValue, ...], BeforeValidator(_as_many), Field(min_length=1), _one_or_many("")]
Regexes = Annotated[tuple[Regex, ...], BeforeValidator(_as_many), Field(min_length=1), _one_or_many("regex")]
