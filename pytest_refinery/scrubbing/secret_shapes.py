"""Where secrets stand in a text: by what they look like, and by the names before them. Linear in the text.

Most text is passed over by searches for fixed bytes. Regular expressions look only at long runs of the characters that
keys are made of, and behind the words that name secrets; each looks at a bounded number of characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from pytest_refinery.scrubbing import secret_names
from pytest_refinery.scrubbing.secret_names import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Span = tuple[int, int]

# Where a word begins; also behind a character that is escaped in JSON, of which a letter or digit stands before it.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"
_LONGEST_KEY = 400
# A run of these is a key, a hash, an id, a path or the content of a file.
_SHORTEST_RUN = 15
_RUN_TABLE = bytes(0x61 if chr(code).isalnum() or chr(code) in "_-+/" else 0x20 for code in range(128)) + b" " * 128
_RUN = b"a" * _SHORTEST_RUN
# Prefixes such as `SG.` end in a character that is in no run.
_LONGEST_PREFIX = 28
# Longer runs are the contents of files in base64: only their ends are looked at.
_LONGEST_RUN = 4_000
_MOST_PASSES = 5

# Documented by the services, most of them so that they can be found: prefixes, and what follows them.
_PREFIXES = {
    # Models and what is around them.
    "sk- pk- rk- sk_ pk_ rk_": r"[A-Za-z0-9_-]{12,}",
    "org- proj_": r"[A-Za-z0-9]{16,}",
    "ls__ hf_ api_org_ gsk_ fw_ jina_ e2b_ csk- fc- tgp_v1_ wandb_v1_ r8_ pcsk_ phx_ phc_": r"[A-Za-z0-9_]{16,}",
    "lsv2_": r"[a-z]{2}_[A-Za-z0-9_]{12,}",
    "xai- pplx- tvly- nvapi- napi_ pa-": r"[A-Za-z0-9_-]{16,}",
    # Code and packages.
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ npm_ rubygems_ dckr_pat_ dckr_oat_ figd_ figo_": r"[A-Za-z0-9_-]{16,}",
    "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glimt- glagent- glwt- glffct-": r"[A-Za-z0-9_.-]{12,}",
    "pypi- ATATT3 ATCTT3 ATBB CCIPAT_ bkua_ sqp_ squ_ sqa_ PMAK- pul-": r"[A-Za-z0-9_=-]{16,}",
    "lin_api_ lin_oauth_ ntn_ secret_ glc_ glsa_ sntrys_ sntryu_": r"[A-Za-z0-9_.=+-]{16,}",
    "NRAK- NRJS- NRII- NRRA- rnd_ nfp_ HRKU- tskey-": r"[A-Za-z0-9_-]{16,}",
    "dt0": r"[a-z]\d\d\.[A-Za-z0-9_.-]{16,}",
    # Clouds and infrastructure.
    "AKIA ASIA ABIA ACCA": r"[A-Z0-9]{16}(?![A-Za-z0-9])",
    "LTAI AKID": r"[A-Za-z0-9]{12,36}(?![A-Za-z0-9])",
    "AIza": r"[A-Za-z0-9_-]{30,45}(?![A-Za-z0-9+/])",
    "ya29. GOCSPX- 1//0": r"[A-Za-z0-9_-]{12,}",
    "hvs. hvb. hvr.": r"[A-Za-z0-9_-]{16,}",
    "s.": r"(?=[A-Za-z]{0,24}\d)(?=[A-Z0-9]{0,24}[a-z])[A-Za-z0-9]{24}(?![A-Za-z0-9])",
    "dapi dose": r"[0-9a-f]{28,}(?:-\d)?",
    "dop_v1_ doo_v1_ dor_v1_ pscale_tkn_ pscale_pw_ pscale_oauth_ sbp_ v1.0-": r"[A-Za-z0-9_.-]{16,}",
    "sb_secret_ sb_publishable_": r"[A-Za-z0-9_-]{16,}",
    "dp.": r"(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{16,}",
    "vault:v": r"\d{1,4}:[A-Za-z0-9+/=]{16,}",
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{16,}",
    # Shops, mail and chat.
    "shpat_ shpca_ shppa_ shpss_ shpua_ EZAK EZTK shippo_live_ rzp_live_ rzp_test_ re_": r"[A-Za-z0-9_-]{16,}",
    "sq0": r"[a-z]{3}-[A-Za-z0-9_-]{16,}",
    "whsec_": r"[A-Za-z0-9+/=]{16,}",
    "SG.": r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "key- SK": r"[0-9a-f]{32}(?![0-9A-Za-z])",
    "xkeysib- xsmtpsib- xapp-": r"[A-Za-z0-9-]{10,}",
    "xox": r"[a-z]-[A-Za-z0-9-]{10,}",
    "pat-na1- pat-eu1- mlsn. secret-live- secret-test-": r"[A-Za-z0-9=-]{16,}",
    "pat": r"[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "sdk- mob- api-": r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
    # Discord: the number of a user in base64.
    "MD MT Mj Mz ND NT Nj Nz OD OT": r"[A-Za-z0-9_-]{21,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
}
# By what stands in their middle.
_OTHERS = {
    "hooks.slack.com/": r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{1,80}",
    "discord.com/api/": r"(?<=discord\.com/api/webhooks/)[A-Za-z0-9/_-]{1,120}",
    ":AA": r"\d{8,10}:AA[A-Za-z0-9_-]{30,40}(?![A-Za-z0-9_-])",  # Telegram
    "-us": r"[0-9a-f]{32}-us\d{1,2}(?![0-9A-Za-z])",  # Mailchimp
    ".atlasv1.": r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,80}",  # Terraform
    "Q~": r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",  # Microsoft Entra
}


def _prefixed(prefixes: str, tail: str) -> str:
    bounded = tail.replace(",}", f",{_LONGEST_KEY}}}")
    return f"(?:{'|'.join(map(re.escape, prefixes.split()))}){bounded}"


_KEYS = re.compile(f"{_BEGIN}(?:{'|'.join([*map(_prefixed, _PREFIXES, _PREFIXES.values()), *_OTHERS.values()])})")
# One of these is in every key that the pattern matches.
_KEY_HINTS = (*" ".join(_PREFIXES).split(), *_OTHERS)
_DATA_URL = re.compile(r"data:[a-z]+/[A-Za-z0-9.+-]{1,60};base64,\Z")
_ENCRYPTED_PARTS = 5
_WORDS = re.compile(r"[A-Za-z]{1,14}|[0-9]{1,3}|")


@dataclass(frozen=True)
class _Behind:
    """A secret that stands behind fixed bytes.

    Attributes:
        hint: The bytes, in lower case.
        pattern: Matches from their beginning; what its group ``secret`` matches is removed.
        is_one: Tells whether that is one.
    """

    hint: bytes
    pattern: re.Pattern[str]
    is_one: Callable[[str], bool] = bool


def _is_web_token(text: str) -> bool:
    """Tell whether a text is a JSON web token, signed or encrypted: its parts are JSON, or there are five."""
    parts = text.split(".")
    return len(parts) == _ENCRYPTED_PARTS or (len(parts) > 1 and parts[1].startswith("eyJ"))


def _block(begin: str, end: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<secret>{begin}(?:(?!{end})[^\x00]){{0,20000}}(?:{end})?)")


_SIGNED = "x-(?:amz|goog)-[a-z-]{1,40}|googleaccessid|awsaccesskeyid|key-pair-id|sig|code|auth|subscription-key"
_BEHIND = (
    _Behind(
        b"-----begin ",
        _block(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", "-----END [A-Z0-9 ]{1,60}-----"),
    ),
    _Behind(b"putty-user-key-file", _block("PuTTY-User-Key-File-", r"Private-MAC: ?[0-9a-f]{1,100}")),
    _Behind(b"eyj", re.compile(_BEGIN + r"(?P<secret>eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+){0,4})"), _is_web_token),
    _Behind(b"bearer ", re.compile(r"(?i:bearer)\s{1,4}(?P<secret>(?![a-z]{1,40}\b)[A-Za-z0-9._~+/=-]{12,4000})")),
    _Behind(b"basic ", re.compile(r"(?i:basic)\s{1,4}(?P<secret>(?=[a-z+/=]{0,40}[A-Z0-9])[A-Za-z0-9+/=]{12,4000})")),
    # Wherever a URL stands: its user and password, and parameters that sign it.
    _Behind(b"://", re.compile(r"://(?P<secret>[^/?#\s@\"'<>\\\x00]{1,400})@")),
    *(
        _Behind(hint, re.compile(rf"(?i)(?<=[?&;])(?:{_SIGNED})=(?P<secret>[^&;#\s\"'<>\\\x00]{{1,2000}})"))
        for hint in (b"x-amz-", b"x-goog-", b"googleaccessid=", b"awsaccesskeyid=", b"key-pair-id=", b"sig=", b"code=")
    ),
    _Behind(b"-u ", re.compile(r"(?<![\w-])-u {1,3}[\"']?[^\s:\"'\x00]{1,100}:(?P<secret>[^\s\"'\x00\\]{1,200})")),
    _Behind(
        b"--user ", re.compile(r"(?<![\w-])--user {1,3}[\"']?[^\s:\"'\x00]{1,100}:(?P<secret>[^\s\"'\x00\\]{1,200})")
    ),
)


def spans(text: str) -> list[Span]:
    """Return where secrets stand in a text, in order, none overlapping another."""
    # One byte for each character, so that places are the same in both.
    plain = text.encode("latin-1", "replace")
    lowered = plain.lower()
    found = [*_keys(text, plain), *_behind(text, lowered), *secret_names.values(text, lowered)]
    return merged(found)


def merged(found: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that overlap as one."""
    whole: list[Span] = []
    for begin, end in sorted(found):
        if whole and begin < whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((begin, end))
    return whole


def cut(text: str, found: Iterable[Span]) -> str:
    """Return a text with each span replaced."""
    pieces, at = [], 0
    for begin, end in found:
        pieces += [text[at:begin], REMOVED]
        at = end
    return "".join([*pieces, text[at:]]) if pieces else text


def removed(text: str, more: Callable[[str], Iterable[Span]] = lambda _: ()) -> str:
    """Return a text without what looks like a secret, and without what stands where ``more`` says."""
    # What is left around a secret may look like one together with the word in its place.
    for _ in range(_MOST_PASSES):
        found = merged([*spans(text), *more(text)])
        if not found:
            break
        text = cut(text, found)
    return text


def is_in(text: str) -> bool:
    """Tell whether something in a text looks like a secret."""
    return removed(text) != text


def _keys(text: str, plain: bytes) -> Iterator[Span]:
    windows = list(_windows(text, plain))
    begins = [0, *accumulate(end - begin + 1 for begin, end in windows)]
    # Of most texts this is a small part.
    joined = "\n".join(text[begin:end] for begin, end in windows)
    places = chain.from_iterable(_places(joined, hint) for hint in _KEY_HINTS)
    for window in sorted({bisect_right(begins, place) - 1 for place in places}):
        yield from _keys_between(text, *windows[window])


def _places(text: str, hint: str) -> Iterator[int]:
    at = text.find(hint)
    while at >= 0:
        yield at
        # The rest of a window is looked at with its first hint.
        at = text.find(hint, at + len(hint))


def _windows(text: str, plain: bytes) -> Iterator[Span]:
    """Yield where keys may stand, with what may belong to them on both sides."""
    for begin, end in _runs(plain):
        if end - begin <= _LONGEST_RUN:
            yield max(0, begin - _LONGEST_PREFIX), end + (2 * _LONGEST_PREFIX if plain[end : end + 1] == b"." else 0)
        elif not _DATA_URL.search(text, max(0, begin - 90), begin):
            yield max(0, begin - _LONGEST_PREFIX), begin + _LONGEST_KEY
            yield end - _LONGEST_KEY, end


def _runs(plain: bytes) -> Iterator[Span]:
    """Yield where the long runs of characters stand that keys are made of."""
    runs = plain.translate(_RUN_TABLE)
    begin = runs.find(_RUN)
    while begin >= 0:
        end = runs.find(b" ", begin)
        end = len(runs) if end < 0 else end
        yield begin, end
        begin = runs.find(_RUN, end)


def _keys_between(text: str, begin: int, end: int) -> Iterator[Span]:
    for found in _KEYS.finditer(text, begin, end):
        whole = _KEYS.match(text, found.start(), found.start() + _LONGEST_KEY) if found.end() == end else found
        if not _is_of_words(found[0]):
            yield (whole or found).span()


def _is_of_words(key: str) -> bool:
    """Tell whether what follows a prefix is made of words, as in the name of a style or of a file."""
    return all(map(_WORDS.fullmatch, re.split("[-_]", key)))


def _behind(text: str, lowered: bytes) -> Iterator[Span]:
    return chain.from_iterable(_behind_hint(each, text, lowered) for each in _BEHIND)


def _behind_hint(behind: _Behind, text: str, lowered: bytes) -> Iterator[Span]:
    at = lowered.find(behind.hint)
    while at >= 0:
        found = behind.pattern.match(text, at)
        if found is not None and found["secret"] != REMOVED and behind.is_one(found["secret"]):
            yield found.span("secret")
        at = lowered.find(behind.hint, max(at + 1, found.end() if found else 0))
