"""The settings of a run: plain values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# OpenAI's page of models (November 2026): the current one for work that is sensitive to cost.
DEFAULT_MODEL = "gpt-6-luna"
# Tokens per minute of a service that has no limit: more than any service answers.
UNLIMITED = 1_000_000_000


@dataclass(frozen=True)
class Settings:
    """What a run was asked for; ``options`` says where each value may come from.

    Secrets are not settings: the SDKs read them from the environment.
    """

    refinery: bool = False
    analyst: str = "auto"
    model: str = DEFAULT_MODEL
    api: str = "auto"
    effort: str | None = None
    context: str = "auto"
    record: str = "auto"
    cassettes: str = "cassettes"
    strict_cassettes: bool = False
    scrub: tuple[str, ...] = ()
    scrub_personal: bool = False
    allowed_hosts: tuple[str, ...] = ()
    agent: str | None = None
    update: str | None = None
    report: str | None = None
    baseline: str | None = None
    fail_on: Literal["any", "new", "regression"] = "any"
    alpha: float = 0.05
    junit_properties: bool = True
    plan: bool = False
    verify: int | None = None
    replay: int | None = None
    diagnose: bool = True
    diagnose_xfail: bool = False
    max_diagnoses: int | None = None
    max_tokens: int | None = None
    timeout: float = 300.0
    max_wait: float | None = None
    fetch_timeout: float = 120.0
    max_trace_mb: int = 256
    tpm: int | None = None
    rpm: int | None = None
    tpm_model: str = "auto"
    # It may carry a password.
    budget_url: str | None = field(default=None, repr=False)
    reserves_output: bool | None = None
    disable_chunking: bool = False
    group_size_runs: int | None = None
    group_tokens: int | None = None
    max_num_results: int | None = None
    max_output_tokens_stage1: int | None = None
    max_output_tokens_other: int | None = None
    inter_group_sleep_s: float = 0.0
    temperature: float = 0.2
