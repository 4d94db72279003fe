"""The exceptions of the package.

::

    RefineryError
      ConfigurationError      a setting is wrong: the run ends before it starts
      ExpectationFileError    an expectation file cannot be used: every problem of it
      TraceError              a trace cannot be read: the expectation stays undecided
      CheckError              a check could not be carried out: undecided
      TargetError             what the suite names cannot be imported: undecided
      AgentError              the agent cannot be called: undecided
      Undecided               nothing could decide the expectation
      OfflineError            something wanted to reach the network while there was to be none
      CassetteError           a cassette cannot be used
        CassetteMissError     a request is not in it, and must not be sent
      AnalysisError           no diagnosis, or not a whole one: the outcome is unchanged
        BudgetError           a request was not granted: not in time, or given up
          RequestTooLargeError  it never could be: it is larger than the limit
          CeilingReachedError  the session has used what it may
    ExpectationFailed         the agent did wrong: a result, not an error of ours

"The agent failed" is a result; "we could not find out" is an error. Neither passes silently.
"""

from __future__ import annotations

import errno
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class RefineryError(Exception):
    """Base of what the package raises when it cannot do its work."""


class ConfigurationError(RefineryError):
    """A setting has a value that cannot be used."""


class Problem(NamedTuple):
    """One thing wrong in a file, with its place (1-based line and column)."""

    line: int
    column: int
    message: str


class ExpectationFileError(RefineryError):
    """An expectation file cannot be used; ``str()`` lists each problem as ``file:line:column: message``."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems))
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        return "\n".join(f"{self.path}:{p.line}:{p.column}: {p.message}" for p in self.problems)


class TraceError(RefineryError):
    """A trace cannot be read, or is not one."""


class CheckError(RefineryError):
    """A check could not be carried out: its target is missing, or it broke."""


class TargetError(RefineryError):
    """An object that the suite names as ``module:name`` cannot be had."""


class AgentError(RefineryError):
    """The agent that the suite names cannot be imported, or not called with these inputs."""


class Undecided(RefineryError):  # noqa: N818  (the word of the domain; see Verdict)
    """Nothing could decide whether the expectation holds."""


class OfflineError(RefineryError, OSError):
    """Something wanted to reach the network while an item replayed without it.

    It is what a machine without network raises, so that libraries clean up behind themselves.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.ENETUNREACH, sentence)

    def __str__(self) -> str:
        return str(self.strerror)


class CassetteError(RefineryError):
    """A recording of requests cannot be used."""


class CassetteMissError(CassetteError):
    """A request has no recorded answer and must not be sent."""


class AnalysisError(RefineryError):
    """An analyst could not answer a stage; where ``is_final``, asking again cannot help."""

    is_final = False


class BudgetError(AnalysisError):
    """The token budget did not grant a request."""


class RequestTooLargeError(BudgetError):
    """A request costs more tokens than the limit lets through in a minute."""

    is_final = True


class CeilingReachedError(BudgetError):
    """The session has used as many tokens as it may."""

    is_final = True


class ExpectationFailed(AssertionError):  # noqa: N818  (a result, not an error)
    """The trace does not meet the expectation.

    ``headline`` says it in one line, ``str()`` says what was expected and what was there.
    """

    def __init__(self, headline: str, details: str) -> None:
        self.headline = headline
        self.details = details
        super().__init__(headline, details)

    def __str__(self) -> str:
        return self.details


def needs_package(what: str, package: str, *, extra: str) -> str:
    """Return the sentence that ``what`` needs a package, with the command that installs it."""
    return f"{what} needs the package {package}: pip install 'pytest-refinery[{extra}]'."


def names_callable(text: str) -> bool:
    """Tell whether a text has the form ``package.module:callable``."""
    module, separator, name = text.partition(":")
    return bool(separator) and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known word, or an empty string."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
