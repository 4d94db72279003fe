"""From settings to services; the only module that names concrete adapters."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_refinery.errors import (
    AgentError,
    CassetteError,
    ConfigurationError,
    TraceError,
    did_you_mean,
    needs_package,
)
from pytest_refinery.settings import UNLIMITED, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_refinery.analysis.engine import Engine
    from pytest_refinery.analysis.ports import (
        Analyst,
        AnswerCache,
        Case,
        Job,
        ModelClient,
        PreparingAnalyst,
        PromptFile,
        TokenBudget,
    )
    from pytest_refinery.analysts.model.analyst import OpenAIAnalyst
    from pytest_refinery.analysts.model.openai_service import OpenAIService
    from pytest_refinery.analysts.model.stale_resources import StaleResources
    from pytest_refinery.analysts.model.store_index import Index, StoreIndex
    from pytest_refinery.budget.ledger import Ledger
    from pytest_refinery.budget.request_pace import RequestPace
    from pytest_refinery.budget.unmetered import NoPacing
    from pytest_refinery.budget.window import Limits
    from pytest_refinery.cassettes.network_block import NetworkBlock
    from pytest_refinery.cassettes.tape import Tape
    from pytest_refinery.scrubbing.scrubber import Scrubber
    from pytest_refinery.sources.capture import Agent
    from pytest_refinery.sources.langsmith import LangSmith
    from pytest_refinery.sources.langsmith import Service as LangSmithService
    from pytest_refinery.traces.capture import TraceCapture
    from pytest_refinery.traces.model import Message
    from pytest_refinery.traces.model_calls import ModelCall
    from pytest_refinery.traces.source import TraceSource
    from pytest_refinery.verification.rerun import Verifier
    from pytest_refinery.verification.scratch import Workshop
    from pytest_refinery.verification.suite_runs import Suite

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


def _ignore(_: object) -> None:
    """Do nothing."""


def _nothing(*_: object) -> None:
    """Return nothing."""


@dataclass(frozen=True)
class Hooks:
    """What a front end gives the services: the parts that its plugins offer, its display, its folders.

    Attributes:
        analyst: Returns the analyst that a plugin offers under a name, ``None`` where none does.
        model_client: Returns the client that a plugin offers for a model, ``None`` where none does.
        trace_source: Returns the source that a plugin offers for a reference, ``None`` where none does.
        answer_cache: Returns where answers of earlier sessions are kept, given a text that differs wherever they might.
        show: Shows what is being done, and why it takes its time.
        show_time_left: Shows how long all that waits for the token budget will take, ``""`` where it is not known.
        count_tokens: Counts the tokens of each request of this process.
        trace_folder: Returns the folder where fetched traces are kept, if they are; called when the first is wanted.
        shared_folder: Returns the folder that the workers of one session share, ``None`` in a process alone.
    """

    analyst: Callable[[str], Analyst | PreparingAnalyst | None] = _nothing
    model_client: Callable[[str], ModelClient | None] = _nothing
    trace_source: Callable[[str], TraceSource | None] = _nothing
    answer_cache: Callable[[str], AnswerCache | None] = _nothing
    show: Callable[[str], None] = _ignore
    show_time_left: Callable[[str], None] = _ignore
    count_tokens: Callable[[int], None] = _ignore
    trace_folder: Callable[[], Path | None] = _nothing
    shared_folder: Callable[[], Path | None] = _nothing


_NO_HOOKS = Hooks()


def build_scrubber() -> Scrubber:
    """Return what takes secrets out of texts: what looks like one, and those of the environment."""
    from pytest_refinery.scrubbing.environment import of_environment
    from pytest_refinery.scrubbing.scrubber import Scrubber

    return Scrubber(values=of_environment(os.environ))


def build(settings: Settings, hooks: Hooks = _NO_HOOKS) -> Services:
    """Return the services of a process: the one entry for settings. Nothing is made before it is asked for."""
    return Services(settings, hooks)


class Services:
    """All that needs the settings of a run; each part is made on first use.

    Attributes:
        asks_in_order: Whether equal requests have to be sent one after the other.
        is_replaying: Whether no request is sent.
    """

    asks_in_order = False
    is_replaying = False

    def __init__(self, settings: Settings, hooks: Hooks, *, budget: Callable[[], TokenBudget] | None = None) -> None:
        self._settings = settings
        self._hooks = hooks
        self._shared_budget = budget or cache(lambda: _build_budget(settings, self.ledger, hooks))

    def with_plugins(
        self,
        analyst: Callable[[str], Analyst | PreparingAnalyst | None],
        model_client: Callable[[str], ModelClient | None],
        trace_source: Callable[[str], TraceSource | None],
    ) -> Services:
        """Return services with the parts that other plugins offer, and the same budget."""
        hooks = replace(self._hooks, analyst=analyst, model_client=model_client, trace_source=trace_source)
        return Services(self._settings, hooks, budget=self._shared_budget)

    def while_open(self, tape: Tape) -> Services:
        """Return the services of an item whose cassette is open."""
        services = _ReplayingServices if tape.is_replaying else _RecordingServices
        return services(self._settings, self._hooks, tape, self._shared_budget)

    @cached_property
    def analyst(self) -> Analyst | PreparingAnalyst:
        """Who answers the stages of a diagnosis.

        Raises:
            ConfigurationError: There is none of the name that the settings say.
        """
        return self._offered_analyst or self._own_analyst()

    @cached_property
    def _offered_analyst(self) -> Analyst | PreparingAnalyst | None:
        return self._hooks.analyst(self._settings.analyst)

    def _own_analyst(self) -> Analyst | PreparingAnalyst:
        settings, name = self._settings, self._settings.analyst
        if name not in ANALYSTS:
            msg = f"There is no analyst {name!r}.{did_you_mean(name, ANALYSTS)} There are: {', '.join(ANALYSTS)}."
            raise ConfigurationError(msg)
        client = self._hooks.model_client(settings.model) if name in {"openai", "auto"} else None
        if name == "openai" and client is None and find_spec("openai") is None:
            raise ConfigurationError(needs_package("--refinery-analyst openai", "openai", extra="openai"))
        if name == "builtin" or not (name == "openai" or client or os.environ.get("OPENAI_API_KEY")):
            return _rules()
        # What a recording asks depends on nothing that was uploaded before.
        index = _store_index(starts_empty=self.asks_in_order)
        refills = _refills(settings, os.environ)
        return _openai(settings, _service(), client, self._shared_budget(), index, refills=refills)

    def replayer(self, job: Job) -> Callable[[ModelCall], Message]:
        """Return what makes a recorded call of a model again.

        Raises:
            NotPossible: The analyst asks no model.
        """
        from pytest_refinery.analysis.ports import Replayer
        from pytest_refinery.errors import AnalysisError
        from pytest_refinery.verification.scratch import NotPossible

        analyst = self.analyst
        if not isinstance(analyst, Replayer):
            msg = f"the analyst {analyst.name} asks no model. Set OPENAI_API_KEY, or name a server by OPENAI_BASE_URL"
            raise NotPossible(msg)

        def ask(call: ModelCall) -> Message:
            try:
                return analyst.replay(call, job)
            except AnalysisError as error:
                raise NotPossible(error) from error

        return ask

    @cached_property
    def source(self) -> TraceSource:
        """Where traces come from: a source that a plugin offers, local files, LangSmith."""
        return self._build_source()

    def _build_source(self) -> TraceSource:
        from pytest_refinery.sources.by_reference import ByReference
        from pytest_refinery.sources.json_files import JsonFiles

        files = JsonFiles(most_mb=self._settings.max_trace_mb)
        return ByReference(files, lambda: self.langsmith, offered=self._hooks.trace_source)

    @cached_property
    def engine(self) -> Engine:
        """What diagnoses, under the limits of the settings."""
        from pytest_refinery.analysis.engine import Engine, Limits

        analyst, settings, rules = self.analyst, self._settings, _rules()
        limits = Limits(
            group_tokens=settings.group_tokens,
            group_size_runs=settings.group_size_runs,
            disable_chunking=settings.disable_chunking,
            timeout_seconds=settings.timeout,
            max_wait_seconds=settings.max_wait,
            pause_seconds=settings.inter_group_sleep_s,
        )
        # Not isinstance: a subclass of the rules may break where they do not.
        fallback = None if type(analyst) is type(rules) else rules
        return Engine(analyst, limits, fallback=fallback, watch=self._hooks.show)

    @cached_property
    def cache(self) -> AnswerCache | None:
        """The answers of earlier sessions, for an analyst whose answers cost something."""
        from pytest_refinery.analysis.ports import PreparingAnalyst

        analyst, settings = self.analyst, self._settings
        if not isinstance(analyst, PreparingAnalyst):
            return None
        cut = (settings.group_tokens, settings.group_size_runs, settings.disable_chunking)
        return self._hooks.answer_cache(f"{analyst.name} {analyst.model} {analyst.fingerprint} {cut}")

    @cached_property
    def scrubber(self) -> Scrubber:
        """What takes secrets out of all that leaves the process."""
        return build_scrubber()

    def as_sent(self, case: Case) -> Case:
        """Return a case as the analyst may see it: without secrets, and its own where others wrote the analyst."""
        from pytest_refinery.traces.model import independent

        case = self._without_secrets(case)
        return replace(case, trace=independent(case.trace)) if self._offered_analyst else case

    def _without_secrets(self, case: Case) -> Case:
        from pytest_refinery.analysis import outgoing

        return outgoing.scrubbed_case(case, self.scrubber)

    @property
    def tokens_per_minute(self) -> int:
        """The limit of the account, as far as it is known."""
        return self._shared_budget().largest_request

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the account and model: in Redis, else in a file, else in this process.

        Raises:
            ConfigurationError: The settings name Redis, and its client is not installed.
        """
        return _build_ledger(self._settings, tell=self._hooks.show)

    @cached_property
    def langsmith(self) -> LangSmith:
        """The source of LangSmith's traces."""
        from pytest_refinery.budget import locations
        from pytest_refinery.budget.request_pace import RequestPace
        from pytest_refinery.sources import langsmith

        account = langsmith.from_environment(os.environ)
        name = locations.account(base_url=account.endpoint, model="", key=account.key)
        connect = _langsmith_service(
            pace=RequestPace(locations.state_file(name, os.environ).with_name(f"langsmith-{name}.json")),
            patience_seconds=self._settings.fetch_timeout,
        )
        folder = self._hooks.trace_folder()
        cache = langsmith.TraceCache(folder, scrubber=build_scrubber()) if folder else None
        return langsmith.LangSmith(account, connect, cache=cache)

    def open_cassette(
        self, path: Path, mode: str, *, about: str, callables: Iterable[Callable[[str], str | None]]
    ) -> AbstractContextManager[Tape]:
        """Return what opens a cassette for the item ``about``; ``callables`` take out what no cassette may hold."""
        from pytest_refinery.cassettes import recorder
        from pytest_refinery.scrubbing.scrubber import Scrubber

        settings = self._settings
        scrubber = Scrubber(patterns=settings.scrub, callables=tuple(callables), personal=settings.scrub_personal)
        return recorder.use(path, mode, about=about, scrubber=scrubber)

    def offline(self, *, about: str) -> AbstractContextManager[NetworkBlock]:
        """Return what blocks the network, but for the hosts that the settings allow."""
        from pytest_refinery.cassettes.network_block import offline

        return offline(about=about, allowed_hosts=self._settings.allowed_hosts)


class _RecordingServices(Services):
    """Services that know nothing yet, so that a recording holds all that a replay asks."""

    asks_in_order = True

    def __init__(self, settings: Settings, hooks: Hooks, tape: Tape, budget: Callable[[], TokenBudget]) -> None:
        hooks = replace(hooks, answer_cache=_nothing, trace_folder=_nothing)
        super().__init__(settings, hooks, budget=budget)
        self._tape = tape
        self._describe()

    def _describe(self) -> None:
        """Let the cassette say what a replay has to know."""
        from pytest_refinery.cassettes.cassette_file import RecordingMetadata

        analyst, variables = self.analyst.name, {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
        limit = {"tokens_per_minute": self.tokens_per_minute} if analyst == "openai" else {}
        self._tape.metadata = RecordingMetadata(analyst, variables=variables, **limit)

    def _build_source(self) -> TraceSource:
        from pytest_refinery.cassettes.tape import RecordedTraces

        return RecordedTraces(super()._build_source(), self._tape)

    def _without_secrets(self, case: Case) -> Case:
        # Nor what the cassette will not hold: what is asked next depends on it.
        case = replace(case, trace=self._tape.scrubber.trace(case.trace))
        found = super()._without_secrets(case)
        if found.trace is not case.trace:
            # A replay may have no such variable, and would ask something else.
            self._tape.refuse_environment()
        return found


class _ReplayingServices(_RecordingServices):
    """Services that ask what the cassette holds: they need no key, cost nothing and wait for nothing."""

    is_replaying = True

    def _describe(self) -> None:
        from pytest_refinery.cassettes import cassette_file

        self._recorded = cassette_file.recording_metadata(self._tape.path)
        self._settings = replace(self._settings, inter_group_sleep_s=0.0)

    def _own_analyst(self) -> Analyst | PreparingAnalyst:
        from pytest_refinery.analysts.model.store_index import NoIndex
        from pytest_refinery.budget.unmetered import UnmeteredBudget

        settings, recorded = self._settings, self._recorded
        if (recorded.analyst if settings.analyst == "auto" else settings.analyst) != "openai":
            return _rules()
        client = self._hooks.model_client(settings.model)
        if client is None and find_spec("openai") is None:
            raise CassetteError(needs_package("A replay of a model's answers", "openai", extra="openai"))
        service = _service(api_key=_NO_KEY, base_url=recorded.variables.get("OPENAI_BASE_URL", _OPENAI))
        budget = UnmeteredBudget(recorded.tokens_per_minute)
        refills = _refills(settings, recorded.variables)
        return _openai(settings, service, client, budget, NoIndex(), refills=refills, is_replay=True)

    @cached_property
    def langsmith(self) -> LangSmith:
        """The source of LangSmith's traces, without a key and without waiting."""
        from pytest_refinery.budget.unmetered import NoPacing
        from pytest_refinery.sources import langsmith

        account = langsmith.from_environment({**self._recorded.variables, "LANGSMITH_API_KEY": _NO_KEY})
        connect = _langsmith_service(pace=NoPacing(), patience_seconds=Settings().fetch_timeout, sleep=_ignore)
        return langsmith.LangSmith(account, connect)


def _rules() -> Analyst:
    from pytest_refinery.analysts.rules.analyst import RulesAnalyst

    return RulesAnalyst()


def _openai(
    settings: Settings,
    service: Callable[[], OpenAIService],
    offered: ModelClient | None,
    budget: TokenBudget,
    index: Index,
    *,
    refills: bool,
    is_replay: bool = False,
) -> OpenAIAnalyst:
    from pytest_refinery.analysts.model.analyst import OpenAIAnalyst
    from pytest_refinery.analysts.model.model_clients import OfferedClient, OpenAIProtocols
    from pytest_refinery.analysts.model.questions import ModelOptions
    from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
    from pytest_refinery.analysts.model.vector_stores import VectorStores
    from pytest_refinery.budget import locations
    from pytest_refinery.budget.estimates import Estimates
    from pytest_refinery.budget.window import ASSUMED_TOKENS

    costs = None if is_replay else locations.estimates_file(_account(model=settings.model), os.environ)
    sleep = (lambda *_: None) if is_replay else None
    options = ModelOptions(
        model=settings.model,
        temperature=settings.temperature,
        effort=settings.effort,
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
    client = RateLimitedClient(
        OfferedClient(offered) if offered else OpenAIProtocols(service, settings.api),
        budget,
        Estimates(costs, reserves_output=settings.reserves_output),
        effort=settings.effort,
        unlimited=UNLIMITED if _is_local(os.environ) else None,
        # A ceiling of the session would refuse what is reserved only to go alone.
        assumed=None if is_replay or settings.max_tokens else 0 if settings.tpm else ASSUMED_TOKENS,
        sleep=sleep,
    )
    has_no_stores = offered or settings.context == "inline" or settings.api == "chat"
    return OpenAIAnalyst(client, options, None if has_no_stores else stores, refills=refills)


def _service(*, api_key: str | None = None, base_url: str | None = None) -> Callable[[], OpenAIService]:
    """Return what connects to the service on first use: the SDK is heavy, and most runs need no diagnosis.

    It raises ``AccountRejected`` where the SDK is not installed.
    """

    @cache
    def service() -> OpenAIService:
        if find_spec("openai") is None:
            from pytest_refinery.analysts.model.service_errors import AccountRejected

            raise AccountRejected(needs_package("OPENAI_API_KEY", "openai", extra="openai"))
        from pytest_refinery.analysts.model.openai_service import OpenAIService

        return OpenAIService(api_key=api_key, base_url=base_url)

    return service


def build_stale_resources() -> StaleResources:
    """Return what finds and removes what earlier runs left with the account."""
    from pytest_refinery.analysts.model.stale_resources import StaleResources

    return StaleResources(_service(), _store_index())


def _store_index(*, starts_empty: bool = False) -> StoreIndex:
    from pytest_refinery.analysts.model.store_index import StoreIndex
    from pytest_refinery.budget import locations

    account = _account(model="")
    folder = locations.state_file(account, os.environ).parent / f"stores-{account}"
    return StoreIndex(folder, starts_empty=starts_empty)


def _account(*, model: str) -> str:
    """Return a name for the account that the environment names, which does not show the key."""
    from pytest_refinery.budget import locations

    base_url = os.environ.get("OPENAI_BASE_URL") or _OPENAI
    return locations.account(base_url=base_url, model=model, key=os.environ.get("OPENAI_API_KEY", ""))


def _build_budget(settings: Settings, ledger: Ledger, hooks: Hooks) -> TokenBudget:
    from pytest_refinery.budget.session_cap import SessionTokenCap
    from pytest_refinery.budget.token_budget import SharedBudget

    cap = None if settings.max_tokens is None else SessionTokenCap(settings.max_tokens, folder=hooks.shared_folder())
    return SharedBudget(ledger, tell=hooks.show, tell_time_left=hooks.show_time_left, meter=hooks.count_tokens, cap=cap)


def _build_ledger(settings: Settings, *, tell: Callable[[str], None]) -> Ledger:
    name = _account(model=settings.model)
    limits = _limits(settings)
    on_this_machine = _build_file_ledger(name, limits, tell)
    if settings.budget_url is None:
        return on_this_machine
    from pytest_refinery.budget.fallback_ledger import FallbackLedger

    if find_spec("redis") is None:
        raise ConfigurationError(needs_package("REFINERY_BUDGET_URL", "redis", extra="redis"))
    from pytest_refinery.budget.redis_ledger import RedisLedger

    shared = RedisLedger(settings.budget_url, name, limits, tell=tell)
    meanwhile = "Until it answers again, this machine keeps a budget of its own."
    return FallbackLedger(shared, on_this_machine, tell=tell, meanwhile=meanwhile)


def _limits(settings: Settings) -> Limits:
    from pytest_refinery.budget.window import Limits, WindowAlgorithm

    # OpenAI's own refusals are those of a bucket; of others we know nothing.
    auto = WindowAlgorithm.TRUSTED_BUCKET if _is_openai(os.environ) else WindowAlgorithm.SLIDING
    algorithm = auto if settings.tpm_model == "auto" else WindowAlgorithm(settings.tpm_model)
    return Limits(tokens=settings.tpm, requests=settings.rpm, algorithm=algorithm)


def _is_local(variables: Mapping[str, str]) -> bool:
    """Tell whether the service is on this machine or in a private network: no one limits it who does not say so."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(variables.get("OPENAI_BASE_URL") or _OPENAI).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _refills(settings: Settings, variables: Mapping[str, str]) -> bool:
    """Tell whether the limit is a bucket that is refilled all the time, at the service that the variables name."""
    return settings.tpm_model == "bucket" or (settings.tpm_model == "auto" and _is_openai(variables))


def _is_openai(variables: Mapping[str, str]) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(variables.get("OPENAI_BASE_URL") or _OPENAI).hostname == "api.openai.com"


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


def build_prices() -> Callable[[str, int, int], float | None]:
    """Return what says the price in dollars of a model's input and output tokens, ``None`` where it is unknown."""
    from pytest_refinery.analysts.model import models

    is_local, is_known = _is_local(os.environ), find_spec("genai_prices") is not None

    def dollars(model: str, input_tokens: int, output_tokens: int) -> float | None:
        if is_local and not models.is_hosted(model):
            return 0.0
        return models.dollars(model, input_tokens, output_tokens) if is_known else None

    return dollars


def _langsmith_service(
    *, pace: RequestPace | NoPacing, patience_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Callable[[str, Mapping[str, str] | None], LangSmithService]:
    if find_spec("httpx2") is None:
        raise TraceError(needs_package("Fetching a trace from LangSmith", "httpx2", extra="langsmith"))
    from pytest_refinery.sources import langsmith

    wire = langsmith.HttpTransport()
    return partial(langsmith.Service, wire=wire, pace=pace, patience_seconds=patience_seconds, sleep=sleep)


def in_front_of_other_cassettes() -> AbstractContextManager[None]:
    """Return what keeps the cassettes of others, which the test has opened, out of what is asked about the test."""
    if "vcr" not in sys.modules:
        return nullcontext()
    from pytest_refinery.cassettes import recorder

    return recorder.in_front()


def build_agent(target: str, *, import_from: Sequence[Path]) -> Agent:
    """Return the agent that ``target`` (``package.module:callable``) names.

    Raises:
        AgentError: It cannot be imported.
    """
    from pytest_refinery.sources import capture

    return capture.load(target, import_from=import_from)


def build_captures() -> tuple[TraceCapture, ...]:
    """Return what captures the tracing of the libraries that are installed, for one call of an agent.

    Raises:
        AgentError: An installed library is too old to be captured; it might send what an agent does.
    """
    found: list[TraceCapture] = []
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


def build_verifier(suite: Suite, trials: int, *, show: Callable[[str], None] = _ignore) -> Verifier:
    """Return what tries a patch in copies of the project; ``trials`` times without it, and with it."""
    from pytest_refinery.verification.rerun import Verifier

    return Verifier(_workshop(), suite, trials, show)


def remove_leftover_copies() -> None:
    """Remove the copies of projects that processes have left which were killed."""
    if _copies().is_dir():
        _workshop().remove_leftovers()


def session_folder() -> AbstractContextManager[Path]:
    """Return what makes a folder for the processes of a session, which the next run removes if this one is killed."""
    return _workshop().empty_folder()


def _copies() -> Path:
    from pytest_refinery.budget import locations

    return locations.state_file("", os.environ).with_name("copies")


def _workshop() -> Workshop:
    from pytest_refinery.budget import owners
    from pytest_refinery.verification.scratch import Workshop

    return Workshop(_copies(), owners.this_process(), owners.is_alive)


def read_prompt_files(patterns: Iterable[str], *, base: Path, root: Path) -> tuple[PromptFile, ...]:
    """Return the prompt files of the repository that match ``patterns``.

    Raises:
        TraceError: A pattern matches nothing, or a file is no text.
    """
    from pytest_refinery.sources import prompt_files

    return prompt_files.read(patterns, base=base, root=root)
