"""Names that secrets have, in fields and before ``=``, ``:`` or a quote in any text, and which values are secrets."""

from __future__ import annotations

import re
import sys
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REMOVED = "REMOVED"
# One of these is in every name; each costs a search of the whole text.
_HINTS = tuple(b"key secret token pass pwd credential cookie auth signature connection kennwort contrase".split())
# What the last words of a name say for sure, without anything between the words.
_CERTAIN = tuple(
    "passwort kennwort contrasea contrasena storepass keypass "
    "password passwd pwd passphrase passcode secret apikey apisecret accesskey accountkey privatekey "
    "secretkey signingkey encryptionkey masterkey sharedkey sharedaccesskey storagekey servicekey rolekey "
    "adminkey authkey clientkey licensekey deploykey sshkey appkey applicationkey hmackey fernetkey "
    "webhookkey writekey ingestkey anonkey secretaccesskey accesstoken refreshtoken idtoken authtoken "
    "sessiontoken bearertoken apitoken clienttoken bottoken usertoken personaltoken jwttoken securitytoken "
    "servicetoken webhooktoken csrftoken xsrftoken cookie authorization connectionstring secretkeybase".split()
)
_LIKELY = ("key", "keys", "token", "auth", "sig", "signature", "credential", "credentials")
# Keys and tokens of other kinds.
_OTHERS = tuple(
    "cachekey primarykey foreignkey partitionkey sortkey publickey idempotencykey dedupkey dedupekey hashkey "
    "objectkey s3key mapkey dictkey jsonkey indexkey lookupkey routingkey translationkey rowkey groupkey "
    "columnkey hotkey turnkey monkey donkey turkey whiskey hockey jockey pagetoken nexttoken "
    "continuationtoken synctoken cancellationtoken maxtoken specialtoken unktoken padtoken bostoken eostoken "
    "masktoken septoken clstoken toptoken inputtoken outputtoken totaltoken starttoken endtoken firsttoken "
    "lasttoken resumetoken functionsignature methodsignature issuekey projectkey".split()
)
_ASKS = re.compile(
    r"(?i)(?:is|has|needs?|requires?|forgot|reset|no|wrong|invalid|missing|max|min)(?:[_-]|(?-i:(?=[A-Z])))"
)
# Whose, or what for: `SMTP_PASS`, `dbPass`; no bypass and no result of a test.
_SHORT_PASSWORD = re.compile(r"(?:[A-Za-z0-9][_.-](?i:pass)|[a-z]Pass)\Z")
_OUTSIDE_NAMES = re.compile(r"[^\w.-]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_PLACEHOLDER = re.compile(
    r"(?i)(?:none|null|nil|undefined|true|false|yes|no|required|optional|string|str|int|bytes|any|value|values|password|"
    r"passwords|secret|token|tokens|key|keys|your[\W_].*|redacted|hidden|masked|removed|example|include|same-origin|omit|"
    r"basic|bearer|invalid|missing|wrong|incorrect|expired|not|is|was|must|and|or|the|an?|to|for|with|as|in|of|"
    r"[*x.#_-]{3,}|<.*>?|\$.*|\{.*|%.*|\[.*|\(.*|@.*)",
    re.DOTALL,
)
_SPACE = re.compile(r"\s")
_SEPARATORS = re.compile(r"[-_.:/@ ]+")
_WORD = re.compile(r"[a-z]{1,16}|[A-Z][a-z]{0,15}|[A-Z]{1,16}|[0-9]{1,8}|[A-Za-z]{1,12}[0-9]{1,3}|")
_CAMEL = re.compile(r"[A-Z]?[a-z]{2,30}(?:[A-Z][a-z]{2,30}){0,7}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HASH = re.compile(
    r"(?i)(?:sha\d+:|md5:)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
)
_CODE = re.compile(r"[A-Za-z_][\w.]*")

_LONGEST_NAME = 60
_LONGEST_QUOTED = 4_000
_SHORTEST_LIKELY = 8
# Of more, an even number in front of a quote.
_MOST_ESCAPES = 64
_SHORTEST_FIELD = 12
_LONG_WITHOUT_DIGITS = 24
_SHORTEST_OPEN = 4


class Kind(IntEnum):
    """How sure it is that what has a name is a secret."""

    NO = 0
    LIKELY = 1
    CERTAIN = 2


@lru_cache(maxsize=4_096)
def kind(name: str) -> Kind:
    """Return what a name says of its value, however its words are written together."""
    plain = _NOT_IN_NAMES.sub("", name[-_LONGEST_NAME:]).lower()
    if plain.endswith(_CERTAIN):
        return Kind.NO if _ASKS.match(name) else Kind.CERTAIN
    if plain.endswith("pass") and _SHORT_PASSWORD.search(name[-6:]):
        return Kind.CERTAIN
    # Alone it may count tests; "passe" is the last word of what French calls it.
    if plain in {"pass", "passe"}:
        return Kind.LIKELY
    return Kind.LIKELY if plain.endswith(_LIKELY) and not plain.endswith(_OTHERS) else Kind.NO


def shortest(name: str) -> int:
    """Return how many characters a value under a name has at least, if it is a secret."""
    return {Kind.CERTAIN: 1, Kind.LIKELY: _SHORTEST_FIELD}.get(kind(name), sys.maxsize)


def is_secret_field(name: str, value: str) -> bool:
    """Tell whether a field holds a secret, by its name and its value."""
    found = kind(name)
    if found is Kind.CERTAIN:
        return not _PLACEHOLDER.fullmatch(value) or value in {"password", "secret"}
    return found is Kind.LIKELY and len(value) >= _SHORTEST_FIELD and _is_random(value, name)


def _is_random(value: str, name: str) -> bool:
    """Tell whether a value is made of no words, and names nothing else either."""
    if len(value) < _SHORTEST_LIKELY or _SPACE.search(value) or _PLACEHOLDER.fullmatch(value):
        return False
    if all(map(_WORD.fullmatch, _SEPARATORS.split(value))) or _CAMEL.fullmatch(value):
        return len(value) >= _LONG_WITHOUT_DIGITS and value.isalnum()
    is_id = _UUID.fullmatch(value) or _HASH.fullmatch(value)
    return not is_id or name.lower() not in {"key", "keys", "sig", "signature"}


# What stands between a name and its value: the rest of a quoted name, a sign, perhaps a call. Or only a quote.
_AFTER = re.compile(
    r"(?i:w(?:or)?[dt]|e\b|phrase|code|orization|_?string|_?base|(?<=contrase)[n\u00f1]a)?(?i:s)?(?P<close>(?:\\{0,8}[\"'`\u2019\u201d])?[\])]?)"
    # A type in TypeScript; a tag in YAML.
    r"(?:(?P<sign>\s?: ?[A-Za-z_][\w.<>|\[\]]{0,30} ?= ?(?=[\"'`])|\s{0,24}(?:=>|:=|==?|:)\s{0,3}(?:!!?[a-z]{1,12} )?"
    r"| \((?=[^\s()]{8,400}\))|, ?\\{0,8}[\"']value\\{0,8}[\"'] ?: ?"
    # The value of a variable in YAML, of an element, of a row.
    r"|(?:\n|\\n) {0,20}[\"']?value[\"']?: ?"
    r"|(?:\s{1,3}[\w-]{1,20}=\\?[\"'][^\"'<>\\]{0,40}\\?[\"']){0,3}\s{1,3}value ?= ?(?=\\{0,8}[\"'])"
    r"|[ \t]{0,10}\|[ \t]{0,10})"
    r"|(?P<say> (?:provided|supplied|given|used|value|is|was):? ?)"
    r"|(?P<tag>>)|(?P<pair>,\s{0,2}(?=[brfu]{0,2}\\{0,8}[\"']))"
    r"|(?P<space>[ \t]{1,24}))"
    r"(?:[A-Za-z_][\w.]{0,30}\((?=[brf]?[\"']))?(?:[brfu]{1,2}(?=[\"']))?"
    r"(?P<quote>(?P<escape>\\{0,8})[\"'`\u2018\u201c])?"
)
# A hint as a word among words, no option of a command: the usual case, and quick to tell.
_SENTENCE = re.compile(rf"(?<= )(?:{'|'.join(each.decode() for each in _HINTS)})s? (?![bfgiprsuvw])[a-z]{{1,20}}[ ,.]")
_SCHEME = re.compile(r"(?:(?!Bearer\s|Basic\s)[A-Za-z][A-Za-z0-9-]{1,20}|(?i:bearer|basic)) {1,3}(?=\S)")
_OPEN = re.compile(r"[^\s\"'`<>\x00\\]{1,400}")
_NETRC = re.compile(r"\blogin [^\s\x00]{1,50} \Z")
_REST = re.compile(r"[^\r\n\"'`<>\x00\\]{1,4000}")
_ENDS = re.compile(r"[,;&()\[\]{}|#]")
_CLOSING = {"\u201c": "\u201d", "\u2018": "\u2019"}


def values(text: str, lowered: bytes) -> Iterator[tuple[int, int]]:
    """Yield where values stand behind the names of secrets.

    Args:
        text: Any text.
        lowered: It with one byte for each character, in lower case.
    """
    for hint in _HINTS:
        at = lowered.find(hint)
        while at >= 0:
            end = at + len(hint)
            found = None if _SENTENCE.match(text, at) else _AFTER.match(text, end)
            if found is not None:
                for span in _value(text, _Name(text, at, found.start("close")), found):
                    yield span
                    end = max(end, span[1])
            at = lowered.find(hint, end)


class _Name:
    """A name in a text, in which a hint stands."""

    def __init__(self, text: str, hint: int, end: int) -> None:
        begin = hint - len(_OUTSIDE_NAMES.split(text[max(0, hint - _LONGEST_NAME) : hint])[-1])
        # A name of two words, as people write it.
        if text[max(0, begin - 4) : begin].lower() in {"api ", "ess ", "uth "}:
            begin -= 4
        self.begin = begin
        self.text = text[begin:end]

    def is_first_on_its_line(self, text: str) -> bool:
        before = text[max(0, self.begin - 40) : self.begin].removesuffix("export ").rstrip(" \t-")
        return not before or before.endswith(("\n", "\\n"))

    def is_parameter(self, text: str) -> bool:
        return text[max(0, self.begin - 1) : self.begin] in {"?", "&", ";"}

    def has_value_behind_space(self, text: str, space: str) -> bool:
        """Tell whether a value follows without a sign: of an option, in a table, in .netrc."""
        is_row = (len(space) > 1 or space == "\t") and self.is_first_on_its_line(text)
        is_set = text[max(0, self.begin - 5) : self.begin] == "setx "
        return (
            is_row or is_set or self.is_option(text) or bool(_NETRC.search(text, max(0, self.begin - 60), self.begin))
        )

    def is_option(self, text: str) -> bool:
        return self.text.startswith("-") or text[max(0, self.begin - 2) : self.begin] == "--"


def _value(text: str, name: _Name, found: re.Match[str]) -> Iterator[tuple[int, int]]:
    of = kind(name.text)
    # <password>...</password>, and <add name="password">...</add>.
    if of is Kind.NO or (found["tag"] and text[name.begin - 1 : name.begin] != "<" and not found["close"]):
        return
    plain = name.text.lower()
    begin = found.end()
    if plain.endswith(("cookie", "authorization")) and found["sign"]:
        yield from _header(text, plain, begin, found["quote"])
    elif found["quote"]:
        yield from _quoted(text, name, of, found)
    elif found["pair"] or (found["space"] and not name.has_value_behind_space(text, found["space"])):
        return
    else:
        yield from _open(text, name, of, found)


def _header(text: str, name: str, begin: int, quote: str | None) -> Iterator[tuple[int, int]]:
    found = _REST.match(text, begin)
    if found is None:
        return
    value = found[0].rstrip()
    if name.endswith("cookie"):
        if "=" in value:
            yield begin, begin + len(value)
        return
    scheme = _SCHEME.match(text, begin)
    at = scheme.end() if scheme else begin
    secret = text[at : begin + len(value)]
    # Of a signed request all parameters, of a sentence one word.
    secret = secret if quote or "=" in secret else secret.split(" ", 1)[0]
    if secret and not _PLACEHOLDER.fullmatch(secret) and (quote or _is_no_word(secret)):
        yield at, at + len(secret)


def _is_no_word(value: str) -> bool:
    """Tell whether a value without quotes is longer than a word, or has digits or capital letters in it."""
    word = value.rstrip(".,")
    if len(word) < _SHORTEST_OPEN:
        return False
    return len(word) > _LONG_WITHOUT_DIGITS or any(map(str.isdigit, word)) or not (word.istitle() or word.islower())


def _quoted(text: str, name: _Name, of: Kind, found: re.Match[str]) -> Iterator[tuple[int, int]]:
    begin, quote, escape = found.end(), found["quote"], found["escape"]
    mark = quote[len(escape) :]
    end = _closing(text, begin, _CLOSING.get(mark, mark), escapes=len(escape))
    value = text[begin:end]
    if not value or _PLACEHOLDER.fullmatch(value):
        return
    # Behind a mere space, a sentence goes on in quotes.
    is_certain = of is Kind.CERTAIN and not found["pair"] and (not found["space"] or not _SPACE.search(value))
    if is_certain or _is_random(value, name.text):
        yield begin, end


def _closing(text: str, begin: int, mark: str, *, escapes: int) -> int:
    """Return where a quoted text ends: at its mark, escaped as often as the first one, else at the end of its line."""
    limit = min(len(text), begin + _LONGEST_QUOTED)
    end = text.find(mark, begin, limit)
    while end >= 0:
        before = text[max(begin, end - _MOST_ESCAPES) : end]
        escaped = len(before) - len(before.rstrip("\\"))
        if escaped <= escapes:
            return end - escaped
        if escapes == 0 and escaped % 2 == 0:
            return end
        end = text.find(mark, end + 1, limit)
    line = _REST.match(text, begin)
    return line.end() if line else begin


def _open(text: str, name: _Name, of: Kind, found: re.Match[str]) -> Iterator[tuple[int, int]]:
    begin = found.end()
    run = _OPEN.match(text, begin)
    if run is None:
        return
    is_first = name.is_first_on_its_line(text)
    is_line = is_first and text[run.end() : run.end() + 1] in {"", "\n", "\r"}
    value = run[0] if is_line else _ENDS.split(run[0], maxsplit=1)[0].rstrip(".")
    if value and _is_open_secret(text, name, of, found, value, is_first=is_first):
        yield begin, begin + len(value)


def _is_open_secret(text: str, name: _Name, of: Kind, found: re.Match[str], value: str, *, is_first: bool) -> bool:
    """Tell whether a value without quotes is a secret, and no word of a sentence and no name in a program."""
    after = text[found.end() + len(value) : found.end() + len(value) + 1]
    is_folder = name.text.endswith("PWD") and value.startswith("/")
    if is_folder or value == REMOVED or (of is Kind.CERTAIN and name.is_parameter(text)):
        return not is_folder and value != REMOVED
    if _PLACEHOLDER.fullmatch(value) or after in {"(", "["}:
        return False
    if _is_random(value, name.text):
        return not (_CODE.fullmatch(value) and "." in value)
    return of is Kind.CERTAIN and len(value) >= _SHORTEST_OPEN and _is_said(text, name, found, value, is_first=is_first)


def _is_said(text: str, name: _Name, found: re.Match[str], value: str, *, is_first: bool) -> bool:
    """Tell whether a word, or words, stand where a program, a file or a command line has a password."""
    after = text[found.end() + len(value) : found.end() + len(value) + 1]
    has_digits = any(map(str.isdigit, value))
    if has_digits or not value.isalnum():
        return not _CODE.fullmatch(value) or (has_digits and after not in {")", ","})
    is_assigned = (found["sign"] or "") in {"=", ":=", "=>"}
    if after in {"", "\n", "\r", "\\"} and (is_first or is_assigned):
        return True
    is_told = is_assigned and after in {" ", "&", ";", "\t"}
    return bool(is_told or found["tag"] or name.is_option(text)) and kind(value) is Kind.NO
