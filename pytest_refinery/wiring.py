"""Settings -> engine; the only module that names concrete adapters."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_refinery.errors import AgentError, ConfigurationError, did_you_mean
from pytest_refinery.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_refinery.analysis.engine import Engine
    from pytest_refinery.analysis.ports import Analyst, PreparingAnalyst, PromptFile, TokenBudget
    from pytest_refinery.analysts.model.analyst import OpenAIAnalyst
    from pytest_refinery.analysts.model.openai_service import OpenAIService
    from pytest_refinery.analysts.model.stale_resources import StaleResources
    from pytest_refinery.analysts.model.store_index import Index, StoreIndex
    from pytest_refinery.budget.ledger import Ledger
    from pytest_refinery.budget.request_pace import RequestPace
    from pytest_refinery.budget.window import Limits
    from pytest_refinery.cassettes.cassette_file import RecordingMetadata
    from pytest_refinery.cassettes.network_block import NetworkBlock
    from pytest_refinery.cassettes.tape import Tape
    from pytest_refinery.sources.capture import Agent
    from pytest_refinery.sources.langsmith import Account, LangSmith
    from pytest_refinery.traces.listening import Listener
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource

ANALYSTS = ("auto", "openai", "builtin")
_OPENAI = "https://api.openai.com/v1"
_NEW_ENOUGH = "Update it: pip install -U 'pytest-refinery[langsmith,otel]'."
# The SDK insists on a key. This one never leaves the process.
_NO_KEY = "replayed-without-a-key"
# What says which service is asked. Their values stand in cassettes.
_VARIABLES = (
    "OPENAI_BASE_URL",
    "LANGSMITH_ENDPOINT",
    "LANGCHAIN_ENDPOINT",
    "LANGSMITH_PROJECT",
    "LANGCHAIN_PROJECT",
)


def _nobody_listens(_: str) -> None:
    """Tell nobody."""


def build_engine(
    settings: Settings, analyst: Analyst | PreparingAnalyst, *, watch: Callable[[str], None] = _nobody_listens
) -> Engine:
    """Return the engine that diagnoses with ``analyst`` under the limits of the settings."""
    from pytest_refinery.analysis.engine import Engine, Limits

    limits = Limits(
        group_tokens=settings.group_tokens,
        group_size_runs=settings.group_size_runs,
        disable_chunking=settings.disable_chunking,
        timeout_seconds=settings.timeout,
        pause_seconds=settings.inter_group_sleep_s,
    )
    return Engine(analyst, limits, watch=watch)


def build_analyst(
    name: str,
    settings: Settings | None = None,
    *,
    tell: Callable[[str], None] = _nobody_listens,
    budget: Callable[[], TokenBudget] | None = None,
    is_recorded: bool = False,
) -> Analyst | PreparingAnalyst:
    """Return one of our own analysts.

    Args:
        name: One of ``ANALYSTS``.
        settings: Those of the run.
        tell: Hears why the analyst waits, if it does.
        budget: Returns the budget that it shares; by default it has one of its own.
        is_recorded: Whether it is to ask all that it would ask on a machine that knows nothing yet.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if name not in ANALYSTS:
        msg = f"There is no analyst {name!r}.{did_you_mean(name, ANALYSTS)} There are: {', '.join(ANALYSTS)}."
        raise ConfigurationError(msg)
    if name == "openai" or (name == "auto" and os.environ.get("OPENAI_API_KEY")):
        settings = settings or Settings()
        shared = budget() if budget else build_budget(settings, tell=tell)
        return _openai(settings, _service(), shared, _store_index(begins_anew=is_recorded))
    from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst

    return BuiltinAnalyst()


def recording_metadata_of(analyst: Analyst | PreparingAnalyst, budget: Callable[[], TokenBudget]) -> RecordingMetadata:
    """Return what a replay of what ``analyst`` is about to ask has to know."""
    from pytest_refinery.cassettes.cassette_file import RecordingMetadata

    variables = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    if analyst.name != "openai":
        return RecordingMetadata(analyst.name, variables=variables)
    return RecordingMetadata(analyst.name, budget().largest_request, variables)


def metadata_of_cassette(path: Path) -> RecordingMetadata:
    """Return what a replay of a cassette has to know."""
    from pytest_refinery.cassettes import cassette_file

    return cassette_file.recording_metadata(path)


def build_replaying_analyst(name: str, settings: Settings, metadata: RecordingMetadata) -> Analyst | PreparingAnalyst:
    """Return the analyst that asked what a cassette holds: it needs no key, costs nothing and waits for nothing.

    Raises:
        ConfigurationError: There is none of this name.
    """
    from pytest_refinery.analysts.model.store_index import NoIndex
    from pytest_refinery.budget.unmetered import UnmeteredBudget

    if (metadata.analyst if name == "auto" else name) != "openai":
        return build_analyst("builtin" if name == "auto" else name)
    service = _service(api_key=_NO_KEY, base_url=metadata.variables.get("OPENAI_BASE_URL", _OPENAI))
    budget = UnmeteredBudget(metadata.tokens_per_minute)
    return _openai(settings, service, budget, NoIndex(), sleep=lambda *_: None)


def _openai(
    settings: Settings,
    service: Callable[[], OpenAIService],
    budget: TokenBudget,
    index: Index,
    *,
    sleep: Callable[..., object] | None = None,
) -> OpenAIAnalyst:
    from pytest_refinery.analysts.model.analyst import OpenAIAnalyst
    from pytest_refinery.analysts.model.questions import ModelOptions
    from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
    from pytest_refinery.analysts.model.vector_stores import VectorStores
    from pytest_refinery.budget.estimates import Estimates

    options = ModelOptions(
        model=settings.model,
        temperature=settings.temperature,
        max_num_results=settings.max_num_results,
        max_output_tokens_stage1=settings.max_output_tokens_stage1,
        max_output_tokens_other=settings.max_output_tokens_other,
    )
    stores = VectorStores(
        service,
        index,
        is_wanted=settings.context == "file_search",
        max_num_results=settings.max_num_results,
        sleep=sleep or time.sleep,
    )
    client = RateLimitedClient(service, budget, Estimates(reserves_output=settings.reserves_output), sleep=sleep)
    return OpenAIAnalyst(client, options, None if settings.context == "inline" else stores)


def _service(*, api_key: str | None = None, base_url: str | None = None) -> Callable[[], OpenAIService]:
    """Return what connects to the service on first use: the SDK is heavy, and most runs need no diagnosis."""

    @cache
    def service() -> OpenAIService:
        from pytest_refinery.analysts.model.openai_service import OpenAIService

        return OpenAIService(api_key=api_key, base_url=base_url)

    return service


def build_stale_resources() -> StaleResources:
    """Return what finds and removes what earlier runs left with the account."""
    from pytest_refinery.analysts.model.stale_resources import StaleResources

    return StaleResources(_service(), _store_index())


def _store_index(*, begins_anew: bool = False) -> StoreIndex:
    from pytest_refinery.analysts.model.store_index import StoreIndex
    from pytest_refinery.budget import locations

    account = _account(model="")
    folder = locations.state_file(account, os.environ).parent / f"stores-{account}"
    return StoreIndex(folder, begins_anew=begins_anew)


def _account(*, model: str) -> str:
    """Return a name for the account that the environment names, from which nobody can tell the key."""
    from pytest_refinery.budget import locations

    base_url = os.environ.get("OPENAI_BASE_URL") or _OPENAI
    return locations.account(base_url=base_url, model=model, key=os.environ.get("OPENAI_API_KEY", ""))


def build_budget(
    settings: Settings,
    *,
    tell: Callable[[str], None],
    meter: Callable[[int], None] = lambda _: None,
    shared_folder: Path | None = None,
) -> TokenBudget:
    """Return the budget that all processes share which use the same account and model.

    ``meter`` hears the tokens of each request of this process.
    """
    from pytest_refinery.budget.session_cap import SessionTokenCap
    from pytest_refinery.budget.token_budget import SharedBudget

    budget = SharedBudget(build_ledger(settings, tell=tell), tell=tell, meter=meter)
    if settings.max_tokens is None:
        return budget
    return SessionTokenCap(budget, settings.max_tokens, folder=shared_folder)


def build_ledger(settings: Settings, *, tell: Callable[[str], None]) -> Ledger:
    """Return the ledger of the account and model: in Redis, else in a file, else in this process.

    Raises:
        ConfigurationError: The settings name Redis, and its client is not installed.
    """
    name = _account(model=settings.model)
    limits = _limits(settings)
    on_this_machine = _build_file_ledger(name, limits, tell)
    if settings.budget_url is None:
        return on_this_machine
    from pytest_refinery.budget.fallback_ledger import FallbackLedger

    shared = _build_redis_ledger(settings.budget_url, name, limits)
    meanwhile = "Until it answers again, this machine keeps a budget of its own."
    return FallbackLedger(shared, on_this_machine, tell=tell, meanwhile=meanwhile)


def _limits(settings: Settings) -> Limits:
    from pytest_refinery.budget.window import Limits, WindowAlgorithm

    # OpenAI's own refusals are those of a bucket; of others we know nothing.
    auto = WindowAlgorithm.TRUSTED_BUCKET if _is_openai() else WindowAlgorithm.SLIDING
    model = auto if settings.tpm_model == "auto" else WindowAlgorithm(settings.tpm_model)
    return Limits(tokens=settings.tpm, requests=settings.rpm, model=model)


def _is_openai() -> bool:
    from urllib.parse import urlsplit

    return urlsplit(os.environ.get("OPENAI_BASE_URL") or _OPENAI).hostname == "api.openai.com"


def _build_file_ledger(name: str, limits: Limits, tell: Callable[[str], None]) -> Ledger:
    from pytest_refinery.budget import locations
    from pytest_refinery.budget.fallback_ledger import FallbackLedger
    from pytest_refinery.budget.file_ledger import FileLedger
    from pytest_refinery.budget.state_ledger import MemoryLedger

    path = locations.state_file(name, os.environ)
    if kind := locations.network_file_system(path.parent):
        tell(
            f"{path.parent} is on a network file system ({kind}), where locks cannot be relied on. "
            "Set XDG_CACHE_HOME to a local folder, or share the token budget through Redis (REFINERY_BUDGET_URL)."
        )
    meanwhile = "Until then this process keeps a budget of its own, which other workers do not see."
    file = FileLedger(path, limits, tell=tell)
    return FallbackLedger(file, MemoryLedger(limits), tell=tell, meanwhile=meanwhile)


def _build_redis_ledger(url: str, name: str, limits: Limits) -> Ledger:
    if find_spec("redis") is None:
        msg = "REFINERY_BUDGET_URL needs the Redis client: pip install 'pytest-refinery[redis]'"
        raise ConfigurationError(msg)
    from pytest_refinery.budget.redis_ledger import RedisLedger

    return RedisLedger(url, name, limits)


def build_prices() -> Callable[[str, int, int], float | None]:
    """Return what says the price in dollars of a model's input and output tokens, ``None`` where it is unknown."""
    if find_spec("genai_prices") is None:
        return lambda *_: None

    from pytest_refinery.analysts.model import models

    return models.dollars


def build_source(settings: Settings | None = None, *, keep_in: Callable[[], Path | None] = lambda: None) -> TraceSource:
    """Return the source of traces: local files, and LangSmith.

    Args:
        settings: Those of the run.
        keep_in: Returns the folder where fetched traces are kept, if they are; called when the first is wanted.
    """
    from pytest_refinery.sources.by_reference import ByReference
    from pytest_refinery.sources.json_files import JsonFiles

    return ByReference(JsonFiles(), lambda: build_langsmith(settings, keep_in=keep_in))


def build_replaying_source(metadata: RecordingMetadata) -> TraceSource:
    """Return the source whose requests a cassette holds: it needs no key and waits for nothing."""
    from pytest_refinery.budget.unmetered import NoPacing
    from pytest_refinery.sources import langsmith
    from pytest_refinery.sources.by_reference import ByReference
    from pytest_refinery.sources.json_files import JsonFiles

    account = langsmith.from_environment({**metadata.variables, "LANGSMITH_API_KEY": _NO_KEY})
    patience = Settings().fetch_timeout
    connect = partial(
        langsmith.Service,
        wire=langsmith.HttpTransport(),
        pace=NoPacing(),
        patience_seconds=patience,
        sleep=lambda _: None,
    )
    return ByReference(JsonFiles(), lambda: langsmith.LangSmith(account, connect))


def open_cassette(
    path: Path, mode: str, settings: Settings, *, about: str, callables: Iterable[Callable[[str], str | None]]
) -> AbstractContextManager[Tape]:
    """Return what opens a cassette for the item ``about``; ``callables`` take out what no cassette may hold."""
    from pytest_refinery.cassettes import recorder
    from pytest_refinery.scrubbing.scrubber import Scrubber

    scrubber = Scrubber(patterns=settings.scrub, callables=tuple(callables), personal=settings.scrub_personal)
    return recorder.use(path, mode, about=about, scrubber=scrubber)


def as_recorded(source: TraceSource, tape: Tape) -> TraceSource:
    """Return a source whose traces are without what the cassette that they come through will not hold."""
    from pytest_refinery.cassettes.tape import RecordedTraces

    return RecordedTraces(source, tape)


def trace_as_recorded(trace: Trace, tape: Tape) -> Trace:
    """Return a trace without what the cassette will not hold of it when a model is asked about it."""
    return tape.scrubber.trace(trace)


def in_front_of_other_cassettes() -> AbstractContextManager[None]:
    """Return what keeps the cassettes of others, which the test has opened, out of what is asked about the test."""
    if "vcr" not in sys.modules:
        return nullcontext()
    from pytest_refinery.cassettes import recorder

    return recorder.in_front()


def offline(settings: Settings, *, about: str) -> AbstractContextManager[NetworkBlock]:
    """Return what blocks the network, but for the hosts that the settings allow."""
    from pytest_refinery.cassettes.network_block import offline

    return offline(about=about, allowed_hosts=settings.allowed_hosts)


def build_langsmith(
    settings: Settings | None = None, *, keep_in: Callable[[], Path | None] = lambda: None
) -> LangSmith:
    """Return the source of LangSmith's traces; the arguments are those of ``build_source``."""
    from pytest_refinery.sources import langsmith

    account = langsmith.from_environment(os.environ)
    patience = (settings or Settings()).fetch_timeout
    connect = partial(
        langsmith.Service, wire=langsmith.HttpTransport(), pace=_build_pace(account), patience_seconds=patience
    )
    folder = keep_in()
    return langsmith.LangSmith(account, connect, cache=langsmith.TraceCache(folder) if folder else None)


def _build_pace(account: Account) -> RequestPace:
    from pytest_refinery.budget import locations
    from pytest_refinery.budget.request_pace import RequestPace

    name = locations.account(base_url=account.endpoint, model="", key=account.key)
    return RequestPace(locations.state_file(name, os.environ).with_name(f"langsmith-{name}.json"))


def build_agent(target: str, *, import_from: Sequence[Path]) -> Agent:
    """Return the agent that ``target`` (``package.module:callable``) names.

    Raises:
        AgentError: It cannot be imported.
    """
    from pytest_refinery.sources import capture

    return capture.load(target, import_from=import_from)


def build_listeners() -> tuple[Listener, ...]:
    """Return what hears the tracing of the libraries that are installed, for one call of an agent.

    Raises:
        AgentError: An installed library is too old to be heard; it might send what an agent does.
    """
    found: list[Listener] = []
    try:
        if find_spec("langsmith"):
            from pytest_refinery.sources.capture import LangSmithTracing

            found.append(LangSmithTracing())
        if find_spec("opentelemetry") and find_spec("opentelemetry.sdk"):
            from pytest_refinery.sources.capture import OpenTelemetryTracing

            found.append(OpenTelemetryTracing())
    except (AttributeError, ImportError) as error:
        msg = f"The tracing of an installed library cannot be kept from sending ({error}). {_NEW_ENOUGH}"
        raise AgentError(msg) from error
    return tuple(found)


def read_prompt_files(patterns: Iterable[str], *, base: Path, root: Path) -> tuple[PromptFile, ...]:
    """Return the prompt files of the repository that match ``patterns``.

    Raises:
        TraceError: A pattern matches nothing, or a file is no text.
    """
    from pytest_refinery.sources import prompt_files

    return prompt_files.read(patterns, base=base, root=root)
