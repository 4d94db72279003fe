"""Secrets of many kinds, in the places where agents meet them, and what only looks like one."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.scrubbing.scrubber import Scrubber
from tests.data_paths import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json

T = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
UUID = "7d9f3b1c-52e8-4c6a-9b0d-3e5f7a9c1b2d"
PLAIN = "gX7tq2LmZp9w"

SHAPES = {
    "vault service": f"hvs.CAESI{T}",
    "vault batch": f"hvb.AAAAAQ{T}",
    "vault legacy": f"s.{T[:24]}",
    "databricks": f"dapi{HEX}",
    "databricks with a suffix": f"dapi{HEX}-2",
    "digitalocean": f"dop_v1_{HEX}{HEX}",
    "shopify": f"shpat_{HEX}",
    "shopify shared": f"shpss_{HEX}",
    "notion": f"ntn_{T}",
    "notion of old": f"secret_{T}{T[:7]}",
    "linear": f"lin_api_{T}",
    "replicate": f"r8_{T}",
    "pinecone": f"pcsk_3xYz_{T}",
    "nvidia": f"nvapi-{T}",
    "telegram": f"1234567890:AA{T[:33]}",
    "atlassian": f"ATATT3xFfGF0{T}={HEX[:8]}",
    "bitbucket": f"ATBB{T}",
    "grafana": f"glsa_{T}_{HEX[:8]}",
    "grafana cloud": f"glc_eyJ{T}",
    "figma": f"figd_{T}",
    "supabase": f"sbp_{HEX}{HEX[:8]}",
    "supabase secret": f"sb_secret_{T}",
    "sentry": f"sntrys_eyJ{T}_{T}",
    "pgp": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{T}\n{T}\n-----END PGP PRIVATE KEY BLOCK-----",
    "openssh": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{T}\n-----END OPENSSH PRIVATE KEY-----",
    "putty": f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{T}\nPrivate-MAC: {HEX}",
    "openrouter": f"sk-or-v1-{HEX}{HEX}",
    "langfuse": f"sk-lf-{UUID}",
    "postman": f"PMAK-{HEX[:24]}-{HEX}{HEX[:2]}",
    "doppler": f"dp.pt.{T}",
    "new relic": f"NRAK-{T.upper()}",
    "docker": f"dckr_pat_{T}",
    "tailscale": f"tskey-auth-k{T[:10]}CNTRL-{T}",
    "airtable": f"pat{T[:14]}.{HEX}{HEX}",
    "mailgun": f"key-{HEX}",
    "mailchimp": f"{HEX}-us21",
    "twilio": f"SK{HEX}",
    "square": f"sq0atp-{T[:22]}",
    "brevo": f"xkeysib-{HEX}{HEX}-{T[:16]}",
    "google client": f"GOCSPX-{T[:28]}",
    "entra": f"abc8Q~{T[:34]}",
    "terraform": f"{T[:14]}.atlasv1.{T}{T}",
    "discord": f"MTA{T[:22]}.GaBcDe.{T[:32]}",
    "weights and biases": f"wandb_v1_{T}",
    "gitlab runner": f"glrt-{T[:20]}",
    "json web token": f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ{T}.{T}{T}",
}

# {} is the secret.
NAMES = {
    "XML attribute name": (f'<property name="connection.password">{PLAIN}</property>', PLAIN),
    "TypeScript": (f'const apiKey: string = "{PLAIN}";', PLAIN),
    "YAML tag": (f"encryption_key: !!str {PLAIN}", PLAIN),
    "tab": (f"API-KEY\t{PLAIN}", PLAIN),
    "setx": (f"setx STRIPE_SECRET {PLAIN}", PLAIN),
    "keytool": (f"keytool -storepass {PLAIN} -list", PLAIN),
    "pass": (f"user=alice;pass={PLAIN}", PLAIN),
    "brackets": (f"SMTP password ({PLAIN})", PLAIN),
    "German": (f"Passwort: {PLAIN}", PLAIN),
    "other German": (f"Kennwort={PLAIN}", PLAIN),
    "French": (f"mot de passe : {PLAIN}", PLAIN),
    "Spanish": (f"contraseña: {PLAIN}", PLAIN),
    "camel case in JSON": ('{{"accessToken": "{}", "n": 1}}', PLAIN),
    "client secret in JSON": ('{{"clientSecret":"{}"}}', PLAIN),
    "AWS in JSON": ('{{"Credentials": {{"SecretAccessKey": "{}"}}}}', f"{T}+/x"),
    "prefix in JSON": ('{{"db_password": "{}"}}', "hunter2"),
    "provider in JSON": ('{{"MISTRAL_API_KEY": "{}"}}', PLAIN),
    "JSON in JSON": ('{{"arguments": "{{\\"apiKey\\": \\"{}\\"}}"}}', PLAIN),
    "JSON that is cut off": ('body: {{"api_key": "{}', T),
    "ini": ("[db]\nuser = joe\npassword = {}\nhost = h\n", "swordfish"),
    "ini without spaces": ("[api]\napi_key={}\n", PLAIN),
    "env": ("HOME=/root\nCOHERE_API_KEY={}\nLANG=C\n", T),
    "env with export": ("export DATADOG_APP_KEY={}\n", HEX),
    "env of a generic key": ("DEEPGRAM_KEY={}\n", f"{HEX}{HEX[:8]}"),
    "env in quotes": ("SECRET_KEY_BASE_TOKEN='{}'\n", T),
    "env with punctuation": ("POSTGRES_PASSWORD={}\n", "p@ss;w0rd,x"),
    "yaml": ("spec:\n  token: {}\n  name: x\n", T),
    "yaml password": ("db:\n  password: {}\n", "opensesame"),
    "toml": ('[tool]\nsecret-token = "{}"\n', PLAIN),
    "python repr": ("Client(base_url='x', api_key='{}', timeout=3)", PLAIN),
    "python bytes": ("Settings(secret=b'{}')", PLAIN),
    "pydantic": ("Config(password=SecretStr('{}'))", "swordfish"),
    "python dict": ("{{'password': '{}', 'user': 'joe'}}", "hunter2"),
    "python index": ("os.environ['API_TOKEN'] = '{}'", PLAIN),
    "arrow": ("'auth_token' => '{}'", PLAIN),
    "header authorization": ("GET / HTTP/1.1\r\nAuthorization: token {}\r\nAccept: */*", PLAIN),
    "header bearer": ("authorization: Bearer {}", "short1"),
    "header of AWS": ("Authorization: AWS4-HMAC-SHA256 {}", f"Credential=AKIDX/2026/us, Signature={HEX}{HEX}"),
    "header x-api-key": ("X-API-Key: {}\nHost: a", PLAIN),
    "header cookie": ("Cookie: {}\nHost: a", "session=abc123; csrf=def456"),
    "header set-cookie": ("set-cookie: {}", "sid=s%3Aabc.def; Path=/; HttpOnly"),
    "headers repr": ("Headers({{'authorization': 'Basic {}'}})", "am9lOnB3"),
    "headers pairs": ("[('x-auth-token', 'a'), (b'x-api-key', b'{}')]", PLAIN),
    "curl user": ("curl -u joe:{} https://example.com", "swordfish"),
    "curl long user": ('curl --user "joe:{}" https://example.com', "swordfish"),
    "command option": ("tool login --password {} --host h", "swordfish"),
    "command option with a sign": ("tool --api-key={} run", PLAIN),
    "azure storage": ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", f"{T}{T}=="),
    "sql server": ("Server=tcp:h,1433;User ID=sa;Password={};Encrypt=True", "S3cure!pw"),
    "odbc": ("Driver={{ODBC}};UID=sa;PWD={};", "hunter2"),
    "url of a database": ("postgresql://joe:{}@db:5432/x", "swordfish"),
    "url of redis": ("redis://:{}@cache:6379/0", "swordfish"),
    "url parameter": ("GET https://e.com/v1?access_token={}&page=2", PLAIN),
    "shared access signature": ("https://e.blob.core.windows.net/c/b?sv=2024&sig={}&se=1", "a%2Fb%3D"),
    "error body": ("401: Incorrect API key provided: {}. You can find it at ...", PLAIN),
    "error with quotes": ("invalid token '{}'", PLAIN),
    "error with a backtick": ("The api_key `{}` was refused", PLAIN),
    "typographic quotes": ("the password \u201c{}\u201d", "hunter2"),
    "xml": ("<config><password>{}</password></config>", "swordfish"),
    "uuid under a sure name": ("HEROKU_API_KEY={}\n", UUID),
    "hash under a sure name": ('"encryption_key": "{}"', HEX),
    "sentence": ("Use the password: {} to log in", "S3cure!pw"),
    "assignment in a sentence": ("log in with password={} please", "opensesame"),
    "docker": ("docker run -e MYSQL_ROOT_PASSWORD={} mysql", "swordfish1"),
    "kubernetes": ("data:\n  client-secret: {}\n", "c3dvcmRmaXNo"),
    "netrc": ("machine e.com login joe password '{}'", "swordfish"),
    "go struct": ('&Config{{Token:"{}", Region:"eu"}}', PLAIN),
    "log of keys": ("level=info msg=ok secret={} took=3", PLAIN),
    "passphrase": ("passphrase: {}", "correct-horse-battery-9"),
}

HARMLESS = [
    "He said that the password (confidential) was changed, and the token (optional) too.",
    "pass=12 fail=3; il passe : demain, et le mot de passe : obligatoire.",
    'const key: string = "orders";',
    "The key to success: practise. Key: value. The token: a small coin. Secret: there is none.",
    "Your password must be at least 8 characters. Password: required. Forgot password?",
    "password=password, token=token, api_key=settings.api_key, secret=os.environ['SECRET'], key=lambda x: x[1]",
    "def f(api_key: str, password: str | None = None, token: Optional[str] = None) -> None:",
    '{"api_key": null, "token": "", "password": "<your password>", "secret": "${SECRET}", "key": "user_profile_42"}',
    '{"prompt_tokens": 1234, "max_tokens": 4096, "tokens": [1, 2], "token_type": "bearer", "next_page_token": "abc"}',
    f'{{"id": "{UUID}", "run_id": "{UUID}", "trace_id": "{HEX}", "cache_key": "{HEX}{HEX}", "key": "{UUID}"}}',
    f'sha256:{HEX}{HEX} md5={HEX} commit {HEX}{HEX[:8]} etag "{HEX}"',
    "call_abcDEF123456ghiJKL789mno chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ12 file-2b6dRdmXnzSrqiEbhVJZRU",
    "toolu_01A09q90qw90lq91",
    "msg_01XFDUDYJgAACzvnptvVoYEL resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "vs_69398dd5d4b8819193d8e0e7a2c3b9b5",
    "sk-container-id-1 sk-toggleable__label sk-estimator-doc-link pk-button the sk-learn-compatible estimators",
    "risk-adjusted task-force desk-research ask-me-anything re_arranged pa-rameters api-reference sdk-documentation",
    "bearer of responsibilities; basic understanding; Basic Income; the bearer certificate",
    "https://example.com/a/b?page=2&order=asc&q=a@b&key=name&sort=price_desc git+https://github.com/a/b.git",
    "The cookie: chocolate chip. Cookies: essential only. Cookie: a biscuit of 40 grams.",
    "Authorization: required. authorization: see chapter 4. The authorization code flow.",
    "primary_key=True, foreign_key='orders.id', sort_key: created_at, partition_key=customer_id_2024",
    "monkey: see, donkey=do, turkey 'sandwich with extra cheese', hockey: 3-2, whiskey: 12-year-old",
    "Signature: ____________ signature: (self, key, default=None)",
    "2026-11-30T17:28:29.123456+00:00 192.168.100.200:8443 v1.22.333-rc.4 550e8400e29b41d4a716446655440000",
    "/home/user/project/src/pytest_refinery/scrubbing/secret_names.py:123: in test_that_keys_are_removed_from_texts",
    "ls__main__module lsv2 hf_transfer gsk_ npm_config_registry ghp_ glpat xoxb org-wide proj_name SG.Manager",
    "PWD=/home/joe/work OLDPWD=/tmp",
    '{"token": " responsibilities", "logprob": -0.1}, {"token": "internationalization"}',
    "S.Africa s.t. eyJ is how base64 of JSON begins",
]


@pytest.mark.parametrize("key", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("text", ["{}", 'It is "{}".', "a: {}\nb", "tried {} twice", "https://e.com/{}/x"])
def test_a_key_is_removed_by_its_shape(key: str, text: str) -> None:
    assert Scrubber().text(text.format(key)) == text.format("REMOVED")


@pytest.mark.parametrize(("text", "secret"), NAMES.values(), ids=NAMES.keys())
def test_a_value_is_removed_by_the_name_before_it(text: str, secret: str) -> None:
    said = text.format(secret)
    scrubbed = Scrubber().text(said)
    assert secret not in scrubbed
    assert all(piece not in scrubbed for piece in _pieces(secret))
    assert Scrubber().text(scrubbed) == scrubbed
    whole = Scrubber().json({"result": [said], "n": 1})
    assert secret not in json.dumps(whole)


def _pieces(secret: str) -> Iterator[str]:
    """Yield the halves of a secret: half a key is a leak, too."""
    half = max(6, len(secret) // 2)
    return (secret[place : place + half] for place in range(len(secret) - half))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert Scrubber().text(text) == text
    assert Scrubber().json({"content": [text]}) == {"content": [text]}


def test_a_picture_in_base64_stays() -> None:
    import base64
    import random

    chance = random.Random(7)  # noqa: S311  (a sample)
    image = "data:image/png;base64," + base64.b64encode(chance.randbytes(2_000_000)).decode()
    assert Scrubber().json({"url": image}) == {"url": image}
    wrapped = base64.encodebytes(chance.randbytes(500_000)).decode()
    assert Scrubber().text(wrapped) == wrapped


@pytest.mark.parametrize(
    "value",
    [
        {"headers": [{"name": "Authorization", "value": "Bearer short1"}]},
        {"env": [{"key": "DB_PASSWORD", "value": "short1"}]},
        {"rows": [["x-api-key", "short1"]]},
        {"awsSecretAccessKey": "short1"},
        {"a": {"bot_token": ["short1"]}},
    ],
)
def test_a_value_is_removed_by_the_name_of_its_field(value: Json) -> None:
    assert "short1" not in json.dumps(Scrubber().json(value))


# Langfuse's exports hold its public keys.
_HAS_KEY = "pk-lf-"


def _real_traces() -> Iterator[Any]:
    for folder in ("langsmith_tau/nested", "langsmith_sdk_runs", "langfuse", "anyagent-otel", "who_and_when"):
        for path in sorted(require(folder).rglob("*.json*"))[:12]:
            text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
            for line in filter(str.strip, text.splitlines() if "jsonl" in path.name else [text]):
                yield path.name, json.loads(line)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(member)


def test_real_traces_stay_as_they_are() -> None:
    changed: list[str] = []
    count = 0
    for name, value in _real_traces():
        before = list(_texts(value))
        after = list(_texts(Scrubber().json(value)))
        count += len(before)
        changed += [
            f"{name}: {one[:300]}" for one, two in zip(before, after, strict=True) if one != two and _HAS_KEY not in one
        ]
    assert count > 10_000
    assert not changed, f"{len(changed)} of {count}:\n" + "\n".join(changed[:20])
