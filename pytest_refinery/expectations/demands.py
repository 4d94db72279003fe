"""What a built-in check is made of."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import ConfigDict, model_validator

from pytest_refinery.expectations.fields import Shape, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.expectations.verdicts import Verdict
    from pytest_refinery.traces.model import Trace


class Demand(Shape):
    """What one check demands of a trace: the argument of the check, as written in the file.

    ``OPTIONS`` are the fields that say how to look, and demand nothing by themselves.
    """

    OPTIONS: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @abstractmethod
    def verdicts(self, trace: Trace) -> Iterator[Verdict]:
        """Yield a verdict for each thing demanded.

        Raises:
            CheckError: The trace does not hold what would decide it.
        """

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        if self.model_fields_set <= self.OPTIONS:
            known = ", ".join(name for name in type(self).model_fields if name not in self.OPTIONS)
            refuse(f"The check demands nothing; give it one of {known}.")
        return self
