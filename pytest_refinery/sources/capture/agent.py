"""Agents that the suite names: imported, called with a trace's inputs, in whichever way they want to be called."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pytest_refinery.errors import AgentError, TargetError, did_you_mean
from pytest_refinery.expectations import targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Inputs: TypeAlias = object
_NO_MAPPINGS = frozenset({"str", "int", "float", "bool", "list", "bytes"})
_NAMED = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})


@dataclass(frozen=True)
class Agent:
    """An agent of the suite: a function, or an object with ``invoke`` or ``ainvoke`` such as a graph of LangGraph.

    Attributes:
        target: ``package.module:callable``, as written.
        import_from: Folders that its modules are looked for in first.
    """

    target: str
    import_from: Sequence[Path]
    _object: object

    def call(self, inputs: Inputs) -> Callable[[], object]:
        """Return what calls the agent with a copy of ``inputs`` and returns its output.

        A mapping whose keys are parameters of a function is passed as keyword arguments, anything else as the one
        argument. Coroutines are run in an event loop of their own; what is generated is gathered.

        Raises:
            AgentError: It cannot be called with these inputs.
        """
        invoke = getattr(self._object, "invoke", None) or getattr(self._object, "ainvoke", None)
        if not inspect.isclass(self._object) and callable(invoke):
            return lambda: self._output(lambda: self._invoked(deepcopy(inputs)))
        function = self._function()
        arguments, named = _fitted(function, inputs, target=self.target)
        return lambda: self._output(lambda: function(*deepcopy(arguments), **deepcopy(named)))

    def _function(self) -> Callable[..., object]:
        if callable(self._object) and not inspect.isclass(self._object):
            return self._object
        kind = "a class" if inspect.isclass(self._object) else f"no callable but {type(self._object).__name__}"
        msg = (
            f"agent: {self.target}: it is {kind}; name a function, or an object with a method invoke or ainvoke, "
            "such as a compiled graph."
        )
        raise AgentError(msg)

    def _invoked(self, inputs: Inputs) -> object:
        agent = cast("Any", self._object)
        if hasattr(agent, "invoke") and not _has_only_async_steps(agent):
            return agent.invoke(inputs)
        return agent.ainvoke(inputs)

    def _output(self, call: Callable[[], object]) -> object:
        with targets.importable(self.import_from):
            return _gathered(_awaited(call(), target=self.target))


def load(target: str, *, import_from: Sequence[Path]) -> Agent:
    """Return the agent that ``target`` names.

    Raises:
        AgentError: It cannot be imported.
    """
    try:
        return Agent(target, import_from, targets.found(target, import_from=import_from))
    except TargetError as error:
        msg = f"agent: {target}: {error}"
        raise AgentError(msg) from error


def _fitted(function: Callable[..., object], inputs: Inputs, *, target: str) -> tuple[list[Inputs], dict[str, Any]]:
    """Return the arguments, positional and by name, that ``function`` takes the inputs as."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return [inputs], {}
    by_name = {str(key): value for key, value in inputs.items()} if isinstance(inputs, Mapping) else None
    if by_name is not None and _binds(signature, **by_name):
        return [], by_name
    named = [parameter.name for parameter in signature.parameters.values() if parameter.kind in _NAMED]
    is_meant_whole = by_name is None or (set(by_name).isdisjoint(named) and _takes_mapping(signature))
    if is_meant_whole and _binds(signature, inputs):
        return [inputs], {}
    raise AgentError(_unfit(target, signature, named, by_name))


def _takes_mapping(signature: inspect.Signature) -> bool:
    """Tell whether the first parameter, as far as its annotation says, may be a mapping."""
    first = next(iter(signature.parameters.values()), None)
    annotation = getattr(first, "annotation", None)
    return getattr(annotation, "__name__", annotation) not in _NO_MAPPINGS


def _binds(signature: inspect.Signature, /, *arguments: Inputs, **named: Inputs) -> bool:
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        return False
    return True


def _unfit(target: str, signature: inspect.Signature, named: Sequence[str], by_name: Mapping[str, Any] | None) -> str:
    given = "one value does" if by_name is None else f"the inputs {', '.join(by_name) or '(none)'} do"
    unknown = [name for name in by_name or () if name not in named]
    free = [name for name in named if name not in (by_name or ())]
    meant = next(filter(None, (did_you_mean(name, free) for name in unknown)), "")
    return (
        f"agent: {target}: it takes {_shown(signature)}, which {given} not fit.{meant} "
        "Give the expectation 'inputs:' that fit, or name a function that takes these."
    )


def _shown(signature: inspect.Signature) -> str:
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(bare))


def _has_only_async_steps(agent: object) -> bool:
    """Tell whether a step of a LangChain or LangGraph object can only be awaited."""
    nodes = getattr(agent, "nodes", None)
    steps = [getattr(node, "bound", None) for node in nodes.values()] if isinstance(nodes, Mapping) else []
    steps += getattr(agent, "steps", [])
    return any(getattr(step, "afunc", None) and not getattr(step, "func", None) for step in (agent, *steps))


def _awaited(output: object, *, target: str) -> object:
    if isinstance(output, AsyncIterator):
        output = _all_of(output)
    if not isinstance(output, Awaitable):
        return output
    if _is_in_a_loop():
        if isinstance(output, Coroutine):
            output.close()
        msg = (
            f"agent: {target}: it is asynchronous, and an event loop is already running here; run pytest from a shell."
        )
        raise AgentError(msg)
    # With a factory, the runner leaves alone what this thread regards as its event loop.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(_awaiting(output))


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _awaiting(output: Awaitable[object]) -> object:
    awaited = await output
    return await _all_of(awaited) if isinstance(awaited, AsyncIterator) else awaited


async def _all_of(stream: AsyncIterator[object]) -> object:
    return _joined([item async for item in stream])


def _gathered(output: object) -> object:
    return _joined([*output]) if isinstance(output, Iterator) else output


def _joined(items: list[object]) -> object:
    """Return what was generated, texts as one."""
    texts = [item for item in items if isinstance(item, str)]
    return "".join(texts) if texts and len(texts) == len(items) else items
