"""The types of the fields that experts fill in."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from pytest_refinery import timed_regex
from pytest_refinery.errors import CheckError, names_callable
from pytest_refinery.timed_regex import PatternTimeoutError

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

TextValue = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=0)]
Trials = Annotated[int, Field(strict=True, ge=1, le=100)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
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
    """Return the compiled pattern; Python's warnings about future versions do not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern)


def search(pattern: str, text: str) -> tuple[int, int] | None:
    """Return where an expert's pattern first matches.

    Raises:
        CheckError: That takes too long to find out.
    """
    try:
        return timed_regex.search(pattern, text)
    except PatternTimeoutError as error:
        msg = f"It could not be decided: {error}."
        raise CheckError(msg) from None


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


def _importable(value: str) -> str:
    if not names_callable(value):
        refuse(f"'{value}' names no callable: write 'package.module:callable'.")
    return value


def _as_many(value: object) -> object:
    return value if value is None or isinstance(value, list | tuple | dict) else (value,)


class _OrOne:
    """Tells editors that one item may stand for a list of one."""

    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


T = TypeVar("T")
Omittable: TypeAlias = Annotated[T | None, BeforeValidator(_not_null)]
"""What may be left out, but not left empty: an empty demand would be met by everything."""
OneOrMany: TypeAlias = Annotated[tuple[T, ...], Field(min_length=1), BeforeValidator(_as_many), _OrOne]
Regex = Annotated[str, Field(min_length=1, json_schema_extra={"format": "regex"}), AfterValidator(_compilable)]
Callable = Annotated[TextValue, AfterValidator(_importable), Field(json_schema_extra={"pattern": r"^[\w.]+:[\w.]+$"})]
