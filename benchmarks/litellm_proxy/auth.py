"""What LiteLLM's proxy asks about a key: it has a limit of tokens per minute. Run by the proxy, not by us."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from litellm.proxy._types import UserAPIKeyAuth

if TYPE_CHECKING:
    from fastapi import Request


async def limited(request: Request, api_key: str) -> UserAPIKeyAuth:  # noqa: ARG001  (the proxy's signature)
    """Return the limits of a key."""
    return UserAPIKeyAuth(api_key=api_key, tpm_limit=int(os.environ["BENCHMARK_TPM"]))
