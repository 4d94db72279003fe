"""Expectations, and the files that experts write them in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from pytest_refinery.errors import did_you_mean
from pytest_refinery.expectations.checks import Check
from pytest_refinery.expectations.fields import Callable, Omittable, OneOrMany, Shape, Share, TextValue, Trials, refuse
from pytest_refinery.expectations.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import core_schema

_ID = re.compile(r"\w[\w.-]*")
_TAG = re.compile(r"[^\W_][\w.-]*")
_MAX_ID = 100
# Words of the language in which `-k` and `-m` select.
_OPERATORS = frozenset({"and", "or", "not", "true", "false", "none"})


def _fit_for_node_ids(value: str) -> str:
    if not _ID.fullmatch(value):
        refuse(f"The id '{value}' cannot be selected with -k: use letters, digits, '_', '.' and '-' only.")
    if len(value) > _MAX_ID:
        refuse(f"The id is {len(value)} characters long; at most {_MAX_ID} are allowed.")
    return value


def _fit_for_marks(value: str) -> str:
    if not _TAG.fullmatch(value) or value.lower() in _OPERATORS:
        refuse(
            f"The tag '{value}' cannot be a mark: begin with a letter or digit, then letters, digits, '_', '.' and '-'."
        )
    return value


# For editors, in words that Python's and JavaScript's expressions share: no white space, no punctuation but - . and _
_EDITOR_NAME: dict[str, Any] = {"pattern": r"^[^\s!-,/:-@\[-^`{-~]+$"}
Id = Annotated[TextValue, AfterValidator(_fit_for_node_ids), Field(json_schema_extra=_EDITOR_NAME)]
Tag = Annotated[TextValue, AfterValidator(_fit_for_marks), Field(json_schema_extra=_EDITOR_NAME)]

FORMER_NAMES = ("business_context", "because")
"""Names that `why` had before; files that have them stay readable."""


def _severity(value: object) -> Severity:
    if value not in list(Severity):
        words = [each.value for each in Severity]
        refuse(f"The severity {value!r} is none of {', '.join(words)}.{did_you_mean(str(value), words)}")
    return Severity(str(value))


SeverityWord = Annotated[Severity, BeforeValidator(_severity)]


class Expectation(BaseModel):
    """What the expert expects of one trace, complete with what the file says for all of them.

    Attributes:
        trace: The reference as written: a path relative to the file, an id or a URL; ``None`` where the agent is run
            with ``inputs`` of its own.
        project: The LangSmith project that has the trace.
        agent: ``package.module:callable``, where the agent is re-run.
        inputs: What the agent is called with, instead of the inputs of the trace's root.
        prompts: Globs of prompt files, relative to the file; the file's own come first.
        evals: Globs of evaluation files, relative to the file; the file's own come first.
        tags: Names of marks; the file's own come first.
        trials: How often the judge is asked, where there are no checks; how often the agent is run, where it is.
        pass_rate: The share of the trials that must find it met.
        line: The 1-based line of the expectation in its file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    expect: str
    business_context: str = ""
    severity: Severity = Severity.MEDIUM
    trace: str | None
    project: str | None = None
    agent: str | None = None
    inputs: dict[str, object] | None = None
    prompts: tuple[str, ...] = ()
    evals: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    trials: int = 1
    pass_rate: float = 1.0
    line: int


class ExpectationEntry(Shape):
    """One expectation."""

    id: Omittable[Id] = Field(
        default=None,
        description="The name in reports, for -k: letters, digits, '_', '.' and '-'. By default made of 'expect'.",
    )
    expect: TextValue = Field(description="One sentence: what should have happened.")
    why: Omittable[TextValue] = Field(
        default=None,
        validation_alias=AliasChoices("why", *FORMER_NAMES),
        description="Why it matters; for the diagnosis and the people who read it.",
    )
    severity: Omittable[SeverityWord] = Field(
        default=None, description="How much harm a failure does: low, medium (by default), high or critical."
    )
    trace: Omittable[TextValue] = Field(
        default=None, description="The trace it is about, instead of the file's: a file, or a LangSmith id or URL."
    )
    project: Omittable[TextValue] = Field(default=None, description="The LangSmith project, instead of the file's.")
    agent: Omittable[Callable] = Field(
        default=None, description="The agent to re-run, instead of the file's: package.module:callable."
    )
    inputs: Omittable[dict[str, Any]] = Field(
        default=None, description="What the agent is called with, instead of the inputs of the trace."
    )
    prompts: OneOrMany[TextValue] = Field(
        default=(), description="Files with the agent's prompts, beside the file's; * and ** are allowed."
    )
    evals: OneOrMany[TextValue] = Field(
        default=(), description="Files that say how the agent is judged elsewhere, beside the file's."
    )
    tags: OneOrMany[Tag] = Field(default=(), description="Marks for -m, beside the file's.")
    checks: tuple[Check, ...] = Field(default=(), description="What code can decide; all of it must hold.")
    trials: Omittable[Trials] = Field(
        default=None,
        description="How often a model judges 'expect' where there are no checks, or an agent is run; once by default.",
    )
    pass_rate: Omittable[Share] = Field(
        default=None, description="The share of the trials that must find it met; all of them by default."
    )


class ExpectationFile(Shape):
    """What domain experts expect of traces."""

    trace: Omittable[TextValue] = Field(
        default=None, description="The trace of expectations that name none: a file, or a LangSmith id or URL."
    )
    project: Omittable[TextValue] = Field(
        default=None, description="The LangSmith project that has the traces; by default LANGSMITH_PROJECT."
    )
    agent: Omittable[Callable] = Field(
        default=None, description="The agent to re-run, so that its new trace is judged: package.module:callable."
    )
    inputs: Omittable[dict[str, Any]] = Field(
        default=None, description="What the agent is called with, instead of the inputs of the trace."
    )
    prompts: OneOrMany[TextValue] = Field(
        default=(), description="Files with the agent's prompts; * and ** are allowed."
    )
    evals: OneOrMany[TextValue] = Field(
        default=(), description="Files that say how the agent is judged elsewhere; * and ** are allowed."
    )
    tags: OneOrMany[Tag] = Field(default=(), description="Marks of all expectations, for -m.")
    expectations: tuple[ExpectationEntry, ...] = Field(min_length=1, description="What is expected.")


def json_schema(*, custom: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an expectation file, for editors.

    ``custom`` are the names of checks that hooks contribute; their arguments may be anything.
    """
    schema = ExpectationFile.model_json_schema(schema_generator=_EditorSchema)
    schema["$defs"]["Check"]["properties"] |= {name: {} for name in custom}
    why = schema["$defs"]["ExpectationEntry"]["properties"]["why"]
    former = {name: {**why, "title": name, "deprecated": True, "description": "Now `why`."} for name in FORMER_NAMES}
    schema["$defs"]["ExpectationEntry"]["properties"] |= former
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


class _EditorSchema(GenerateJsonSchema):
    """Says what may be written: a key may be left out, but never be null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002  (as in the base)
        return False


def keys_at(location: Iterable[str | int]) -> tuple[str, ...]:
    """Return the keys that a mapping at ``location`` in the file may have."""
    model: type[BaseModel] = ExpectationFile
    for part in location:
        if isinstance(part, str):
            model = _models(model.model_fields[part].annotation)[0]
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models(annotation: object) -> list[type[BaseModel]]:
    """Return the models in a type such as ``tuple[Model, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
