"""``pytest-refinery budget`` and ``cleanup``: what runs share, and leave with the OpenAI account."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_refinery import options, wiring

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands; ``command`` makes the parser of one."""
    _add_budget(command("budget", help="show the token budget that all workers share"))
    _add_cleanup(command("cleanup", help="remove what earlier runs left with the OpenAI account"))


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reset", action="store_true", help="forget what was used, who waits and what was learned")
    parser.add_argument("--model", help="the model whose budget it is, if not the one of REFINERY_MODEL")
    parser.set_defaults(run=_budget)


def _add_cleanup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--all", action="store_true", help="also what was used within the last hour, maybe by a run")
    parser.set_defaults(run=_cleanup)


def _budget(given: argparse.Namespace) -> None:
    from pytest_refinery.budget import messages

    settings = options.read_environment()
    settings = replace(settings, model=given.model or settings.model)
    ledger = wiring.build(settings, wiring.Hooks(show=lambda sentence: print(sentence, file=sys.stderr))).ledger
    if given.reset:
        ledger.reset()
    print(messages.page(settings.model, ledger.status()), end="")


def _cleanup(given: argparse.Namespace) -> None:
    left = wiring.build_stale_resources()
    found = list(left.found(everything=given.all))
    for each in found:
        print(f"{each.kind:<13}{each.id}  {each.about}")
    if not found:
        print(
            "Nothing of ours is left with the account"
            + ("." if given.all else " that was not used within the last hour.")
        )
    elif not given.list:
        print(f"{left.remove(found)} of {len(found)} removed.")
