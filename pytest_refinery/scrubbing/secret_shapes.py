"""What secrets look like in texts, what fields that hold them are called, and the secrets of the environment."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REMOVED = "REMOVED"
_SPACE = re.compile(r"\s")
# One of these is in every text with a secret, and in few short ones.
_SUSPICIOUS = re.compile(r"[-_=.\"/]|AKIA|ASIA|AIza|eyJ|earer|asic|EARER|ASIC")
# Where a word begins; also behind a character that is escaped in JSON, of which a letter or digit stands before it.
_BEGIN = r"(?:\b|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"


@dataclass(frozen=True)
class _Shape:
    """What one kind of secret looks like.

    Attributes:
        hints: One of them stands in every text with such a secret; to look for them first is what makes it fast.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str = REMOVED

    def removed(self, text: str) -> str:
        for hint in self.hints:
            if hint in text:
                return self.pattern.sub(self.replacement, text)
        return text


def _key(pattern: str, *hints: str) -> _Shape:
    return _Shape(hints, re.compile(f"{_BEGIN}(?:{pattern})"))


_NAMES = (
    "access_key access_token account_key api_key api_secret api_token apikey app_secret auth_token authorization "
    "bearer_token client_secret cookie id_token passphrase passwd password private_key proxy_authorization pwd "
    "refresh_token secret secret_access_key secret_key session_token set_cookie signing_secret x_api_key x_auth_token"
).split()
# Names of many other things too: what is short is hardly a secret.
_VAGUE_NAMES = frozenset({"auth", "token"})
_LEAST_LENGTH = 12
_PARAMETERS = (
    "access_token|api[-_]?key|apikey|authorization|awsaccesskeyid|client_secret|googleaccessid|id_token|key-pair-id|"
    "password|refresh_token|session_token|sig|signature|subscription-key|x-(?:amz|goog)-[a-z-]+"
)
_VAGUE_PARAMETERS = "auth|code|key|secret|token"
_VALUE = r"[^&;#\s\"'<>\\]"
_ANY_NAME = "|".join(_NAMES).replace("_", "[-_]?")

# The prefixes are documented by the services; the lengths are a little below what they give out today.
_SHAPES = (
    _key(r"[spr]k[-_][A-Za-z0-9_-]{12,}", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_"),  # OpenAI, Anthropic, Stripe
    _key(r"(?:org-|proj_)[A-Za-z0-9]{16,}", "org-", "proj_"),  # OpenAI names them in its errors
    _key(r"lsv2_[a-z]{2}_[A-Za-z0-9_]{12,}|ls__[A-Za-z0-9]{12,}", "lsv2_", "ls__"),
    _key(r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}", "gh", "github_pat_"),
    _key(r"glpat-[A-Za-z0-9_-]{12,}", "glpat-"),
    _key(r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}", "xox", "xapp-"),
    _key(r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]+", "hooks.slack.com"),
    _key(r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIA", "ASIA"),
    _key(r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{12,}", "AIza", "ya29."),
    _key(r"(?:hf|gsk|npm)_[A-Za-z0-9]{16,}", "hf_", "gsk_", "npm_"),
    _key(r"(?:xai|pplx|tvly|pypi)-[A-Za-z0-9_-]{16,}", "xai-", "pplx-", "tvly-", "pypi-"),
    _key(r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "SG."),
    _key(r"whsec_[A-Za-z0-9+/=]{16,}", "whsec_"),
    _key(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", "eyJ"),  # JSON web tokens
    _Shape(
        ("PRIVATE KEY",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ),
    _Shape(
        ("earer", "asic", "EARER", "ASIC"),
        re.compile(r"([Bb](?:earer|asic|EARER|ASIC)\s+)[A-Za-z0-9._~+/=-]{12,}"),
        rf"\g<1>{REMOVED}",
    ),
    # Wherever a URL stands: its user and password, and parameters that sign it.
    _Shape(("://",), re.compile(r"://[^/?#\s@\"'<>\\]+@"), f"://{REMOVED}@"),
    _Shape(("=",), re.compile(rf"(?i)([?&;](?:{_PARAMETERS})=){_VALUE}+"), rf"\g<1>{REMOVED}"),
    _Shape(("=",), re.compile(rf"(?i)([?&;](?:{_VAGUE_PARAMETERS})=){_VALUE}{{{_LEAST_LENGTH},}}"), rf"\g<1>{REMOVED}"),
    # JSON inside a text, however often it was escaped.
    _Shape(
        ('"',),
        re.compile(rf"(?i)(\"(?:{_ANY_NAME})(\\*)\"\s*:\s*\2\")(?!\2\").+?(?<!\\)(?=\2\")"),
        rf"\g<1>{REMOVED}",
    ),
)


def is_secret_field(name: str, value: str) -> bool:
    """Tell whether a field holds a secret, by its name."""
    plain = name.lower().replace("-", "_")
    return plain in _NAMES or (plain in _VAGUE_NAMES and len(value) >= _LEAST_LENGTH and not _SPACE.search(value))


def removed(text: str) -> str:
    """Return a text without what looks like a secret."""
    if not _SUSPICIOUS.search(text):
        return text
    for shape in _SHAPES:
        text = shape.removed(text)
    return text


def is_in(text: str) -> bool:
    """Tell whether something in a text looks like a secret."""
    return removed(text) != text


_WORDS = frozenset("APIKEY CREDENTIALS KEY KEYS PASS PASSPHRASE PASSWD PASSWORD SECRET SECRETS TOKEN".split())
# Such variables say where a secret is, or how much of something there is.
_HARMLESS_ENDS = ("_FILE", "_PATH", "_DIR", "_SOCK", "_NAME", "_COUNT", "_LIMIT")
_IN_URL = re.compile(r"://[^/?#\s:@]*:([^/?#\s@]+)@")
# Shorter ones stand in any text by chance.
_SHORTEST = 8


@dataclass(frozen=True)
class SecretValues:
    """Values of environment variables that are secrets, by their names, in every form that they may be sent in."""

    forms: Mapping[str, tuple[str, ...]] = field(repr=False)

    def found_in(self, texts: Iterable[str]) -> str | None:
        """Return the name of a variable whose value is in one of the texts."""
        for text in texts:
            for name, forms in self.forms.items():
                if any(form in text for form in forms):
                    return name
        return None


def of_environment(environment: Mapping[str, str]) -> SecretValues:
    """Return the secrets among environment variables: by the words in their names, and passwords in URLs."""
    found = {name: value for name, value in environment.items() if _is_secret(name)}
    for name, value in environment.items():
        if password := _IN_URL.search(value):
            found[name] = password[1]
    return SecretValues({name: _forms(value) for name, value in found.items() if len(value) >= _SHORTEST})


def _is_secret(name: str) -> bool:
    return not name.upper().endswith(_HARMLESS_ENDS) and not _WORDS.isdisjoint(name.upper().split("_"))


def _forms(value: str) -> tuple[str, ...]:
    in_urls = (quote(value), quote(value, safe=""), quote_plus(value))
    spelled = (value, *in_urls, json.dumps(value)[1:-1], *_in_base64(value))
    return tuple(dict.fromkeys(form for form in spelled if len(form) >= _SHORTEST))


def _in_base64(value: str) -> Iterable[str]:
    """Yield what a value looks like inside base64, at each of the three places where it may begin in a group."""
    for before in range(3):
        content = b"\0" * before + value.encode("utf-8", "surrogateescape")
        # The characters at both ends depend on what stands beside the value.
        coded = base64.b64encode(content).decode().rstrip("=")
        yield coded[(0, 2, 3)[before] : len(coded) - (1 if len(content) % 3 else 0)]
