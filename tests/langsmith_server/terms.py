"""What kind of LangSmith it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.openai_server.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "lsv2_pt_not_a_real_key_0123456789"


@dataclass(kw_only=True)
class Terms:
    """What the service offers.

    Attributes:
        has_v1: Without, the backend has only the newer API.
        has_v2: Without, it is a self-hosted one from before 0.16.
        has_limits: Whether the documented limits of a key are enforced.
        shares_root_only: Whether a public query without ids answers with the shared run alone.
        latency_seconds: How long each answer takes.
        key: The one that is accepted.
    """

    has_v1: bool = True
    has_v2: bool = True
    has_limits: bool = True
    shares_root_only: bool = False
    latency_seconds: float = 0.0
    key: str = field(default=KEY, repr=False)
    clock: Callable[[], float] = field(default_factory=steady)
