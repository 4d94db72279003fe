"""Where secrets stand in a text: by what they look like, and by the names before them. Linear in the text.

Most text is passed over by searches for fixed bytes. Regular expressions look only at long runs of the characters that
keys are made of, and behind the words that name secrets; each looks at a bounded number of characters.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from pytest_refinery.scrubbing import secret_names
from pytest_refinery.scrubbing.secret_names import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    More = Callable[["Runs"], Iterable["Span"]]

Span = tuple[int, int]

# Where a word begins; also behind a character that is escaped in JSON, of which a letter or digit stands before it.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"
_LONGEST_KEY = 400
# A run of these is a key, a hash, an id, a path or the content of a file.
SHORTEST_RUN = 15
IN_RUNS = frozenset(string.ascii_letters + string.digits + "_-+/")
_RUN_TABLE = bytes(0x61 if chr(code) in IN_RUNS else 0x20 for code in range(256))
# One in so many characters.
_MANY = 100
_RUN = b"a" * SHORTEST_RUN
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
    "BSA": r"[A-Za-z0-9_-]{24,}",
    "bb_live_ rpa_ sgp_ ol_api_": r"[A-Za-z0-9_]{20,}",
    "eyJrIjoi": r"[A-Za-z0-9+/=_-]{30,}",
    "sk.eyJ pk.eyJ tk.eyJ": r"[A-Za-z0-9_.-]{30,}",
    "lsv2_": r"[a-z]{2}_[A-Za-z0-9_]{12,}",
    "xai- pplx- tvly- nvapi- napi_ pa-": r"[A-Za-z0-9_-]{16,}",
    # Code and packages.
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ npm_ rubygems_ dckr_pat_ dckr_oat_ figd_ figo_": r"[A-Za-z0-9_-]{16,}",
    "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glimt- glagent- glwt- glffct-": r"[A-Za-z0-9_.-]{12,}",
    "pypi- ATATT3 ATCTT3 ATBB CCIPAT_ bkua_ sqp_ squ_ sqa_ PMAK- pul-": r"[A-Za-z0-9_=-]{16,}",
    "lin_api_ lin_oauth_ ntn_ secret_ glc_ glsa_ sntrys_ sntryu_": r"[A-Za-z0-9_.=+-]{16,}",
    "NRAK- NRJS- NRII- NRRA- rnd_ nfp_ HRKU- tskey-": r"[A-Za-z0-9_-]{16,}",
    "CFPAT- tfp_ rdme_ pnu_ CLOJARS_ fio-u- ico- p8e- duffel_live_ duffel_test_ ops_ zpka_": r"[A-Za-z0-9_=-]{24,}",
    "AKCp oy2": r"[A-Za-z0-9]{40,}",
    "django-insecure-": r"[^\s\"'\x00\\]{16,}",
    "dt0": r"[a-z]\d\d\.[A-Za-z0-9_.-]{16,}",
    # Clouds and infrastructure.
    "SCW": r"[A-Z0-9]{17}(?![A-Za-z0-9])",
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
    "sl.": r"[A-Za-z0-9_-]{60,}",
    "EAA": r"[A-Za-z0-9_-]{60,}",
    "live_ test_": r"[A-Za-z0-9]{30,}",
    "FLWSECK-": r"[0-9a-f]{32}-X",
    "FLWSECK_TEST-": r"[0-9a-f]{12,32}-X",
    "pdl_live_apikey_ pdl_sdbx_apikey_ cal_live_": r"[A-Za-z0-9_]{20,}",
    "amzn.mws. amzn1.oa2-cs.v1.": r"[A-Za-z0-9-]{30,}",
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
    "webhookb2/": r"(?<=webhookb2/)[A-Za-z0-9/@-]{36,300}",  # Microsoft Teams
    "_mmk": r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?![A-Za-z0-9])",  # MaxMind
    ":AA": r"\d{8,10}:AA[A-Za-z0-9_-]{30,40}(?![A-Za-z0-9_-])",  # Telegram
    "-us": r"[0-9a-f]{32}-us\d{1,2}(?![0-9A-Za-z])",  # Mailchimp
    ".atlasv1.": r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,80}",  # Terraform
    "Q~": r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",  # Microsoft Entra
}


def _prefixed(prefixes: str, tail: str) -> str:
    bounded = tail.replace(",}", f",{_LONGEST_KEY}}}")
    return f"(?:{'|'.join(map(re.escape, prefixes.split()))}){bounded}"


_KEYS = re.compile(f"{_BEGIN}(?:{'|'.join([*map(_prefixed, _PREFIXES, _PREFIXES.values()), *_OTHERS.values()])})")


# Of each prefix the letters and digits before its first other character: a whole word of the text, or how one begins.
_PREFIX_HINTS = tuple(" ".join(_PREFIXES).split())
_HEADS = {prefix: re.split(r"[^A-Za-z0-9]", prefix)[0].encode() for prefix in _PREFIX_HINTS}
_WHOLE_HEADS = frozenset(head for prefix, head in _HEADS.items() if len(head) < len(prefix))
_OPEN_HEADS = tuple(head for prefix, head in _HEADS.items() if len(head) == len(prefix))
_OPEN_BEGINS = frozenset(head[:2] for head in _OPEN_HEADS)
_IN_WORDS = (string.ascii_letters + string.digits).encode()
_HEAD_TABLE = bytes(code if code in _IN_WORDS else 0x20 for code in range(256))
_ESCAPES = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[bfnrt])")
# The letters of English, the most frequent one last.
_FREQUENT = b"zqxjkvbpygfwmucldrhsnioate "
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
    # Passwords on command lines.
    _Behind(b"sshpass -p", re.compile(r"sshpass -p ?[\"']?(?P<secret>[^\s\"'\x00\\]{1,200})")),
    _Behind(b"redis-cli ", re.compile(r"redis-cli [^\n\x00]{0,100}?(?<= )-a [\"']?(?P<secret>[^\s\"'\x00\\]{1,200})")),
    _Behind(
        b"docker login ", re.compile(r"docker login [^\n\x00]{0,100}?(?<= )-p [\"']?(?P<secret>[^\s\"'\x00\\]{1,200})")
    ),
    _Behind(
        b"mysql",
        re.compile(
            r"mysql[a-z]{0,9}(?: -[A-Za-oq-z][^\s\x00]{0,40}| [\w.]{1,40}){0,6} -p(?P<secret>[^\s\"'\x00\\]{3,99})"
        ),
    ),
    _Behind(
        b"convertto-securestring",
        re.compile(r"(?i:convertto-securestring)[^\n\"'\x00]{0,40}[\"'](?P<secret>[^\"'\x00\n]{1,200})"),
    ),
    _Behind(
        b"-u",
        re.compile(
            r"(?:(?<![\w-])-u|(?<=(?<![\w-])-)-user)[ =]{1,3}[\"']?[^\s:\"'\x00]{1,100}:"
            r"(?P<secret>[^\s\"'\x00\\]{1,200})"
        ),
    ),
)


def _nothing(_: Runs) -> Iterable[Span]:
    return ()


def spans(text: str, more: More = _nothing) -> list[Span]:
    """Return where secrets stand in a text, in order, none overlapping another; also where ``more`` says."""
    # One byte for each character, so that places are the same in both.
    plain = text.encode("latin-1", "replace")
    lowered = plain.lower()
    runs = Runs(text, plain)
    found = [*_keys(runs), *_behind(text, lowered), *secret_names.values(text, lowered), *more(runs)]
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


def removed(text: str, more: More = _nothing) -> str:
    """Return a text without what looks like a secret, and without what stands where ``more`` says."""
    # What is left around a secret may look like one together with the word in its place.
    for _ in range(_MOST_PASSES):
        found = spans(text, more)
        if not found:
            break
        text = cut(text, found)
    return text


def is_in(text: str) -> bool:
    """Tell whether something in a text looks like a secret."""
    return removed(text) != text


class Runs:
    """The long runs of the characters that keys are made of, in a text: a small part of most texts."""

    def __init__(self, text: str, plain: bytes) -> None:
        self.text = text
        self.plain = plain
        self._marked = plain.translate(_RUN_TABLE)
        # Where there are many, to look at each costs more than to search the whole text.
        self.are_many = self._marked.count(b" " + _RUN) * _MANY > len(text)

    @cached_property
    def spans(self) -> list[Span]:
        """Where they stand."""
        found = []
        begin = self._marked.find(_RUN)
        while begin >= 0:
            end = self._marked.find(b" ", begin)
            end = len(self._marked) if end < 0 else end
            found.append((begin, end))
            begin = self._marked.find(_RUN, end)
        return found

    def find(self, forms: Iterable[str]) -> Iterator[Span]:
        """Yield where texts of such characters stand, of ``SHORTEST_RUN`` of them or more."""
        if self.are_many:
            yield from (span for form in forms for span in places(self.text, form))
            return
        begins = [0, *accumulate(end - begin + 1 for begin, end in self.spans)]
        joined = "\n".join(self.text[begin:end] for begin, end in self.spans)
        for at, end in (span for form in forms for span in places(joined, form)):
            which = bisect_right(begins, at) - 1
            begin = self.spans[which][0] + at - begins[which]
            yield begin, begin + end - at


def _keys(runs: Runs) -> Iterator[Span]:
    text = runs.text
    if runs.are_many and not any(map(text.__contains__, (*_prefixes_in(text), *_OTHERS))):
        return
    windows = list(_windows(runs))
    begins = [0, *accumulate(end - begin + 1 for begin, end in windows)]
    joined = "\n".join(text[begin:end] for begin, end in windows)
    hints = chain.from_iterable(places(joined, hint) for hint in (*_prefixes_in(joined), *_OTHERS))
    for window in sorted({bisect_right(begins, place) - 1 for place, _ in hints}):
        yield from _keys_between(text, *windows[window])


def _prefixes_in(text: str) -> list[str]:
    """Return the prefixes of which at least the first letters stand where a word begins."""
    plain = (_ESCAPES.sub(" ", text) if "\\" in text else text).encode("latin-1", "replace")
    words = set(plain.translate(_HEAD_TABLE).split())
    heads = _WHOLE_HEADS & words
    for word in words:
        if word[:2] in _OPEN_BEGINS and word.startswith(_OPEN_HEADS):
            heads |= {head for head in _OPEN_HEADS if word.startswith(head)}
    return [prefix for prefix, head in _HEADS.items() if head in heads]


def places(text: str, part: str) -> Iterator[Span]:
    """Yield where a part stands in a text."""
    at = text.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + len(part))


def _windows(runs: Runs) -> Iterator[Span]:
    """Yield where keys may stand, with what may belong to them on both sides."""
    for begin, end in runs.spans:
        if end - begin <= _LONGEST_RUN:
            goes_on = runs.plain[end : end + 1] == b"."
            yield max(0, begin - _LONGEST_PREFIX), end + (2 * _LONGEST_PREFIX if goes_on else 0)
        elif not _DATA_URL.search(runs.text, max(0, begin - 90), begin):
            yield max(0, begin - _LONGEST_PREFIX), begin + _LONGEST_KEY
            yield end - _LONGEST_KEY, end


def _keys_between(text: str, begin: int, end: int) -> Iterator[Span]:
    for found in _KEYS.finditer(text, begin, end):
        whole = _KEYS.match(text, found.start(), found.start() + _LONGEST_KEY) if found.end() == end else found
        if not _is_of_words(found[0]):
            yield (whole or found).span()


def _is_of_words(key: str) -> bool:
    """Tell whether what follows a prefix is made of words, as in the name of a style or of a file."""
    return all(map(_WORDS.fullmatch, re.split("[-_]", key)))


@cache
def _rarest(hint: bytes) -> int:
    """Return the byte of a hint that prose has least of."""
    return min(hint, key=_FREQUENT.find)


def _behind(text: str, lowered: bytes) -> Iterator[Span]:
    return chain.from_iterable(_behind_hint(each, text, lowered) for each in _BEHIND)


def _behind_hint(behind: _Behind, text: str, lowered: bytes) -> Iterator[Span]:
    # A single byte is found far faster than several.
    at = lowered.find(behind.hint) if _rarest(behind.hint) in lowered else -1
    while at >= 0:
        found = behind.pattern.match(text, at)
        if found is not None and found["secret"] != REMOVED and behind.is_one(found["secret"]):
            yield found.span("secret")
        at = lowered.find(behind.hint, max(at + 1, found.end() if found else 0))
