"""The checks ``errors``, ``runs``, ``latency`` and ``tokens``: what can be counted in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from pytest_refinery.errors import CheckError, did_you_mean
from pytest_refinery.expectations import near_names
from pytest_refinery.expectations.demands import Demand
from pytest_refinery.expectations.fields import Count, Omittable, OneOrMany, Regex, Seconds, TextValue, refuse, search
from pytest_refinery.expectations.verdicts import Decision, Facts, Verdict, counted, quoted, verdict
from pytest_refinery.traces import tool_errors
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from pytest_refinery.traces.model import Run, Trace


class Errors(Demand):
    """The runs that failed. An error that parents pass on counts once, where it arose."""

    none: Omittable[Literal[True]] = Field(
        default=None, description="No run may have failed, and no tool's result may say that it has."
    )
    at_most: Omittable[Count] = Field(default=None, description="How many runs may have failed.")
    not_matches: OneOrMany[Regex] = Field(default=(), description="Regular expressions that no error text may match.")

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        if isinstance(value, str) and value != "none":
            refuse(f"'errors' is 'none', or a mapping such as {{at_most: 1}}, not {quoted(value)}.")
        return {"none": True} if value == "none" else value

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield a verdict for each limit and pattern.

        Raises:
            CheckError: No run has failed, and the trace's format may have left out the calls of tools.
        """
        failed = [(run, error) for run in trace.runs if (error := _error(run)) and not _is_passed_on(run, trace)]
        failures = [*failed, *tool_errors.handed(trace)]
        if not failures and trace.calls_unknown:
            msg = f"errors cannot be decided: {trace.calls_unknown}."
            raise CheckError(msg)
        if self.none:
            yield _few_errors("errors.none", "no failed run", failures, limit=0)
        if self.at_most is not None:
            expected = f"at most {counted(self.at_most, 'failed run')}"
            yield _few_errors("errors.at_most", expected, failures, limit=self.at_most)
        yield from (_no_such_error(pattern, failures) for pattern in self.not_matches)


class _OrTheWordNone:
    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"const": "none"}, handler(schema)]}


ErrorsOrNone: TypeAlias = Annotated[Errors, _OrTheWordNone]
"""``errors`` as editors show it: a mapping, or in short ``none``."""


def _error(run: Run) -> str | None:
    """Return the error of a run, or of the tool result in it that calls itself one."""
    return run.error or tool_errors.of(run)


def _shown(run: Run, error: str, *, at: int = 0) -> str:
    said = "" if run.error else ", as the tool's result says"
    return f"{quoted(error, at=at)}{said}"


def _is_passed_on(run: Run, trace: Trace) -> bool:
    return any(child.error for child in trace.children.get(run.id, ()))


def _few_errors(name: str, expected: str, failures: Sequence[tuple[Run, str]], *, limit: int) -> Verdict:
    if not failures:
        return verdict(name, None, Decision(passed=True, expected=expected, actual="none"))
    run, error = failures[min(limit, len(failures) - 1)]
    argument = "none" if name == "errors.none" else limit
    facts = Facts(argument=argument, error=error, number=len(failures), limit=limit)
    return verdict(
        name, run, Decision(len(failures) <= limit, expected, f"{len(failures):,}: {_shown(run, error)}", facts)
    )


def _no_such_error(pattern: str, failures: Sequence[tuple[Run, str]]) -> Verdict:
    expected = f"no error that matches {quoted(pattern)}"
    for run, error in failures:
        if span := search(pattern, error):
            shown = _shown(run, error, at=span[0])
            facts = Facts(argument=pattern, text=error[slice(*span)], error=error)
            decision = Decision(passed=False, expected=expected, actual=shown, facts=facts)
            return verdict("errors.not_matches", run, decision)
    return verdict("errors.not_matches", None, Decision(passed=True, expected=expected, actual="none"))


class Runs(Demand):
    """The number of runs."""

    at_most: Count = Field(description="How many runs there may be.")
    kind: Omittable[TextValue] = Field(default=None, description="Count only runs of this kind: llm, tool, chain, ...")
    name: Omittable[TextValue] = Field(default=None, description="Count only runs of this name.")

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield the one verdict."""
        counted_runs = [run for run in trace.runs if self.kind in {None, run.kind} and self.name in {None, run.name}]
        if not counted_runs:
            self._refuse_misspelt(trace)
        first_too_many = counted_runs[self.at_most] if len(counted_runs) > self.at_most else None
        noun = f"{self.kind} run" if self.kind else "run"
        named = f" of {quoted(self.name)}" if self.name else ""
        expected = f"at most {counted(self.at_most, noun)}{named}"
        facts = Facts(argument=self.model_dump(exclude_unset=True), number=len(counted_runs), limit=self.at_most)
        decision = Decision(first_too_many is None, expected, f"{len(counted_runs):,}", facts)
        yield verdict("runs.at_most", first_too_many, decision)

    def _refuse_misspelt(self, trace: Trace) -> None:
        if self.kind is not None:
            kinds = {str(run.kind) for run in trace.runs}
            known = {*kinds, *map(str, RunKind)}
            if self.kind not in known and (hint := did_you_mean(self.kind, known)):
                msg = f"runs: no run is of the kind {self.kind!r}, so the check would say nothing.{hint}"
                raise CheckError(msg)
        if self.name is not None:
            names = {run.name for run in trace.runs}
            near_names.refuse_misspelt(self.name, names, what="runs: the trace has no run of the name")


class Latency(Demand):
    """The time from the first start to the last end."""

    seconds: Seconds = Field(description="How many seconds the whole trace may take.")

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield the one verdict.

        Raises:
            CheckError: The trace records no times.
        """
        if trace.seconds is None:
            msg = f"latency.seconds cannot be decided: the trace {quoted(trace.name)} records no times."
            raise CheckError(msg)
        slowest = max(trace.roots, key=lambda run: run.seconds or 0)
        expected = f"at most {self.seconds:g} seconds"
        facts = Facts(argument=self.seconds, number=trace.seconds, limit=self.seconds)
        decision = Decision(trace.seconds <= self.seconds, expected, f"{trace.seconds:.3f} seconds", facts)
        yield verdict("latency.seconds", slowest, decision)


class Tokens(Demand):
    """The tokens that the LLM runs used, input and output together."""

    at_most: Count = Field(description="How many tokens all LLM runs together may use.")

    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield the one verdict.

        Raises:
            CheckError: LLM runs record no usage, and what the others record is within the limit.
        """
        # An LLM run around another one has recorded the same usage already.
        inner = trace.within(_is_llm, lambda run: _is_llm(run) if run.usage else None)
        used = {run.id: _tokens(run) for run in trace.runs if run.kind == RunKind.LLM and run.id not in inner}
        total = sum(tokens or 0 for tokens in used.values())
        silent = [run_id for run_id, tokens in used.items() if tokens is None and not trace.by_id[run_id].error]
        if total <= self.at_most and (silent or not used):
            raise CheckError(_unknown_usage(trace, silent=len(silent), llm_runs=len(used)))
        largest = max(used, key=lambda run_id: used[run_id] or 0)
        facts = Facts(argument=self.at_most, number=total, limit=self.at_most)
        decision = Decision(total <= self.at_most, f"at most {counted(self.at_most, 'token')}", f"{total:,}", facts)
        yield verdict("tokens.at_most", trace.by_id[largest], decision)


def _is_llm(run: Run) -> bool | None:
    return run.kind == RunKind.LLM or None


def _tokens(run: Run) -> int | None:
    parts = [run.usage[key] for key in ("input_tokens", "output_tokens") if key in run.usage]
    return run.usage.get("total_tokens", sum(parts) if parts else None)


def _unknown_usage(trace: Trace, *, silent: int, llm_runs: int) -> str:
    reason = f"{silent} of its {counted(llm_runs, 'LLM run')} record no usage" if llm_runs else "it has no LLM run"
    return f"tokens.at_most cannot be decided for the trace {quoted(trace.name)}: {reason}."
