"""On what terms the service is given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from openai.types.shared.chat_model import ChatModel

from pytest_refinery.digest.tokens import estimate
from tests.openai_server.brain import Brain, RunReader
from tests.openai_server.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(kw_only=True, eq=False)
class Terms:
    """What may be chosen; everything but the clock may also be changed while the server runs.

    Attributes:
        tpm: Tokens in a minute for each model, ``None`` without a limit.
        rpm: Requests in a minute for each model, ``None`` without a limit.
        tpm_model: How both are enforced: at most so many in any minute (``sliding``), or a bucket of
            that size that refills continuously.
        minute_seconds: How long a minute is.
        charges_max_output: Charge ``max_output_tokens`` on arrival, else the answer's tokens afterwards.
        refunds: Give back what was charged on arrival and not used.
        rate_limit_headers: Which answers carry ``x-ratelimit-*`` and ``retry-after``.
        attaches_per_minute: Files that may be attached to one vector store in a minute.
        latency_seconds: How long a response takes.
        indexing_seconds: How long a file takes until it can be searched.
        unindexable: Patterns of the names of files whose indexing fails.
        never_indexed: Patterns of the names of files whose indexing never ends.
        poll_after_ms: What the service tells a polling SDK to wait, ``None`` for its own second.
        context_window: The most input tokens of one response.
        file_search_tokens: What the file search costs beside what it finds; a recording with one short result
            counts 1,178 input tokens.
        reasoning_tokens: What a reasoning model thinks before it answers.
        api_keys: The keys that are let in, ``None`` for any.
        missing: Paths that the service does not have, such as ``/responses``.
        models: The models that exist.
        count_tokens: The tokenizer.
        brain: Who answers.
        clock: Seconds since 1970.
        sleep: Waits so many seconds.
    """

    tpm: int | None = None
    rpm: int | None = None
    tpm_model: Literal["bucket", "sliding"] = "bucket"
    minute_seconds: float = 60.0
    charges_max_output: bool = False
    refunds: bool = False
    rate_limit_headers: Literal["always", "success", "never"] = "always"
    attaches_per_minute: int = 300
    latency_seconds: float = 0.0
    indexing_seconds: float = 0.0
    unindexable: tuple[str, ...] = ()
    never_indexed: tuple[str, ...] = ()
    poll_after_ms: int | None = 10
    context_window: int = 400_000
    file_search_tokens: int = 1_100
    reasoning_tokens: int = 0
    api_keys: frozenset[str] | None = None
    missing: tuple[str, ...] = ()
    models: tuple[str, ...] = get_args(ChatModel)
    count_tokens: Callable[[str], int] = estimate
    brain: Brain = RunReader()  # noqa: RUF009  (it has no state)
    clock: Callable[[], float] = steady()  # noqa: RUF009  (it has no state)
    sleep: Callable[[float], None] = time.sleep
