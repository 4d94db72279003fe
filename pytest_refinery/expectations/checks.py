"""The checks that an expectation can carry, and how they are carried out.

To add one: a ``Demand`` in a module of its own, and a field of ``Check``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_serializer, model_validator

from pytest_refinery.errors import CheckError, did_you_mean, names_callable
from pytest_refinery.expectations import code_check
from pytest_refinery.expectations.demands import Demand
from pytest_refinery.expectations.fields import refuse
from pytest_refinery.expectations.figure_checks import ErrorsOrNone, Latency, Runs, Tokens
from pytest_refinery.expectations.output_check import Output
from pytest_refinery.expectations.tools_check import Tools
from pytest_refinery.expectations.verdicts import Verdict
from pytest_refinery.traces.model import independent

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo

    from pytest_refinery.traces.model import Trace

__all__ = ["NO_CUSTOM_CHECKS", "Check", "CustomChecks", "Verdict", "run_checks"]

CustomChecks: TypeAlias = Mapping[str, Callable[..., object]]
"""Checks by name: functions of the trace and the argument that the file gives."""

NO_CUSTOM_CHECKS: CustomChecks = MappingProxyType({})


def _well_formed(target: str) -> str:
    if not names_callable(target):
        refuse(f"'{target}' does not name a function; write module:function, such as my_checks:has_no_gap.")
    return target


class Check(BaseModel):
    """One assertion about the trace: one key that names the check, and its argument."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        json_schema_extra={"additionalProperties": False, "minProperties": 1, "maxProperties": 1},
    )

    output: Output | None = Field(default=None, description="What the agent answered in the end.")
    tools: Tools | None = Field(default=None, description="Which tools were called, in which order and with what.")
    errors: ErrorsOrNone | None = Field(
        default=None, description="Which runs may have failed; 'none' for no run at all."
    )
    runs: Runs | None = Field(default=None, description="How many runs there may be.")
    latency: Latency | None = Field(default=None, description="How long the trace may take.")
    tokens: Tokens | None = Field(default=None, description="How many tokens the LLM runs may use.")
    python: Annotated[str, AfterValidator(_well_formed)] | None = Field(
        default=None, description="A function of yours, as module:function. It is given the trace."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_known_name(cls, value: object, info: ValidationInfo) -> object:
        item = {value: None} if isinstance(value, str) else value
        if not isinstance(item, Mapping) or not item:
            refuse("A check is a name and its argument, such as 'errors: none'.")
        _refuse_unknown(item, custom=(info.context or {}).get("custom", ()))
        return item

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {self.name: self.argument}

    @property
    def name(self) -> str:
        """The name of the check."""
        return next(iter(self.model_fields_set))

    @property
    def argument(self) -> Any:  # noqa: ANN401  (what a custom check takes is its own affair)
        """The argument of the check, as a model where the check is built in."""
        extra = self.model_extra or {}
        return extra[self.name] if self.name in extra else getattr(self, self.name)


def _refuse_unknown(item: Mapping[Any, object], *, custom: Iterable[str]) -> None:
    known = [*Check.model_fields, *custom]
    name, *others = item
    if name not in known:
        refuse(f"Unknown check '{name}'.{did_you_mean(str(name), known) or _all(known)}")
    if name in Check.model_fields and item[name] is None:
        inner = f" Indent '{others[0]}' below it." if others else f" For example: {_EXAMPLES[name]}."
        refuse(f"The check '{name}' has no argument.{inner}")
    if others:
        refuse(f"One check has one name; write '{others[0]}' as an item of its own: '- {others[0]}: ...'.")


def _all(names: Iterable[str]) -> str:
    return f" The checks are {', '.join(names)}."


_EXAMPLES = {
    "output": "'output: {contains: some words}'",
    "tools": "'tools: {called: search}'",
    "errors": "'errors: none'",
    "runs": "'runs: {at_most: 20}'",
    "latency": "'latency: {seconds: 10}'",
    "tokens": "'tokens: {at_most: 5000}'",
    "python": "'python: my_checks:has_no_gap'",
}


def run_checks(
    checks: Iterable[Check],
    trace: Trace,
    *,
    custom: CustomChecks = NO_CUSTOM_CHECKS,
    import_from: Sequence[Path] = (),
) -> tuple[Verdict, ...]:
    """Carry out every check, and return the verdicts in their order.

    Where a check has failed, the outcome is clear: those that cannot be decided then stand last
    among the verdicts, as failed, with the reason.

    Args:
        checks: The checks of an expectation.
        trace: What they look at.
        custom: Checks that hooks contribute.
        import_from: Folders in which the modules of ``python`` checks are looked for first.

    Raises:
        CheckError: Checks cannot be decided, and no other one has failed; one line each.
    """
    verdicts: list[Verdict] = []
    errors: list[tuple[str, CheckError]] = []
    for check in checks:
        try:
            verdicts.extend(_verdicts(check, trace, custom=custom, import_from=import_from))
        except CheckError as error:
            errors.append((check.name, error))
    if errors and all(verdict.passed for verdict in verdicts):
        # With the place of the first one, where a debugger stops.
        first = errors[0][1]
        raise CheckError("\n".join(str(error) for _, error in errors)).with_traceback(first.__traceback__) from first
    return (*verdicts, *(_undecided(name, str(error)) for name, error in errors))


def _verdicts(check: Check, trace: Trace, *, custom: CustomChecks, import_from: Sequence[Path]) -> Iterator[Verdict]:
    if isinstance(check.argument, Demand):
        yield from check.argument.verdicts(trace)
    elif check.name == "python":
        yield code_check.run_target(check.argument, independent(trace), import_from=import_from)
    elif check.name in custom:
        call = partial(custom[check.name], independent(trace), check.argument)
        yield code_check.run_function(check.name, call, trace, argument=check.argument)
    else:
        msg = f"The check {check.name} is not registered here.{did_you_mean(check.name, custom)}"
        raise CheckError(msg)


def _undecided(name: str, reason: str) -> Verdict:
    return Verdict(name, passed=False, expected="a decision", actual=f"none: {reason}")
