"""What secrets look like in texts, and what the fields are called that hold them."""

from __future__ import annotations

import re

REMOVED = "REMOVED"

# Prefixes as the services document them; the lengths are the shortest that were seen, rounded down.
_KEYS = (
    r"\b(?:sk|rk|pk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}[A-Za-z0-9_-]*",  # OpenAI, Anthropic, Stripe
    r"\blsv2_[a-z]{2}_[A-Za-z0-9_]{16,}",  # LangSmith
    r"\bls__[A-Za-z0-9]{16,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[a-z]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bya29\.[A-Za-z0-9_-]{16,}",
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\bgsk_[A-Za-z0-9]{20,}",
    r"\bxai-[A-Za-z0-9]{20,}",
    r"\bpplx-[A-Za-z0-9]{20,}",
    r"\btvly-[A-Za-z0-9-]{16,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{30,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bwhsec_[A-Za-z0-9+/=]{16,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON web tokens
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)
_NAMES = (
    "access_key access_token api_key api_secret api_token apikey app_secret auth_token authorization bearer_token "
    "client_secret cookie id_token passwd password private_key proxy_authorization refresh_token secret "
    "secret_access_key secret_key session_token set_cookie signing_secret x_api_key x_auth_token"
).split()
_PARAMETERS = (
    "access_token|api[-_]?key|auth|authorization|awsaccesskeyid|client_secret|code|googleaccessid|id_token|key|"
    "key-pair-id|password|policy|refresh_token|secret|session_token|sig|signature|subscription-key|token|"
    "x-(?:amz|goog)-[a-z-]+"
)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("|".join(_KEYS)), REMOVED),
    # Parameters of URLs, wherever a URL stands.
    (re.compile(rf"(?i)([?&;](?:{_PARAMETERS})=)[^&;#\s\"'<>\\]+"), rf"\g<1>{REMOVED}"),
    # User and password of a URL.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@\"'<>\\]+@"), rf"\g<1>{REMOVED}@"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{16,}"), rf"\g<1>\g<2>{REMOVED}"),
    # JSON inside a text, however often it was escaped.
    (
        re.compile(rf"(?i)((\\*)\"(?:{'|'.join(_NAMES).replace('_', '[-_]?')})\2\"\s*:\s*\2\")[^\"\\]+"),
        rf"\g<1>{REMOVED}",
    ),
    (re.compile(r"(https://hooks\.slack\.com/services/)[A-Za-z0-9/]+"), rf"\g<1>{REMOVED}"),
)


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret."""
    return name.lower().replace("-", "_") in _NAMES


def removed(text: str) -> str:
    """Return a text without what looks like a secret."""
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def is_in(text: str) -> bool:
    """Tell whether something in a text looks like a secret."""
    return removed(text) != text
