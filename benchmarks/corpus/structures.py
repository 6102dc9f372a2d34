"""Texts in which a secret has its place by their structure: addresses with passwords, headers, cookies, keys in PEM, service accounts."""

import base64
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from benchmarks.corpus import filler, people
from benchmarks.corpus.contextual import opaque, password
from benchmarks.corpus.letters import ALNUM, UPPER_ALNUM, URL_SAFE, base64_of, base64url_of, digits, hexadecimal, of, token
from benchmarks.corpus.marks import TOLERATED, mark, unmark

Write = Callable[[Random], str]

DATABASES = (
    ("postgresql", 5432), ("postgres", 5432), ("mysql", 3306), ("mongodb+srv", 0), ("mongodb", 27017), ("redis", 6379), ("rediss", 6380),
    ("amqp", 5672),
    ("amqps", 5671), ("mariadb", 3306), ("postgresql+asyncpg", 5432), ("mysql+pymysql", 3306), ("clickhouse", 9000), ("mssql", 1433),
)  # fmt: skip
SECRET_PARAMETERS = (
    "access_token",
    "api_key",
    "apikey",
    "token",
    "sig",
    "signature",
    "X-Amz-Signature",
    "code",
    "client_secret",
    "secret",
    "auth_token",
    "key",
)
SESSION_COOKIES = (
    "session",
    "sessionid",
    "connect.sid",
    "JSESSIONID",
    "PHPSESSID",
    "auth_token",
    "__Secure-next-auth.session-token",
    "sid",
    "_session_id",
    "jwt",
)
PEM_TYPES = (
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
)


def url_password(rng: Random) -> str:
    """Return a password as it may stand in a URL: reserved characters escaped."""
    return quote(password(rng), safe="!*")


def database_url(rng: Random) -> str:
    scheme, port = rng.choice(DATABASES)
    user = "" if scheme.startswith("redis") and rng.random() < 0.5 else mark(TOLERATED, people.user_name(rng))
    where = filler.host(rng) + (f":{port}" if port else "")
    options = rng.choice(("", "?sslmode=require", "?retryWrites=true&w=majority"))
    return (
        f"{scheme}://{user}:{mark('DATABASE_URL_PASSWORD', url_password(rng))}@{where}/{rng.choice(('orders', 'app', '0', 'crm'))}{options}"
    )


def snowflake_url(rng: Random) -> str:
    user = mark(TOLERATED, people.user_name(rng))
    account = f"{of(rng, 'abcdefgh', 7)}-{of(rng, 'klmn', 4)}12"
    return f"snowflake://{user}:{mark('SNOWFLAKE_TOKEN', url_password(rng))}@{account}/ANALYTICS/PUBLIC?warehouse=WH"


def web_url(rng: Random) -> str:
    scheme = rng.choice(("https", "https", "http", "ftp", "sftp", "socks5"))
    ending = rng.choice(("", "/repo.git", ":8080", "/v1/export?format=csv"))
    return f"{scheme}://{mark(TOLERATED, people.user_name(rng))}:{mark('URL_PASSWORD', url_password(rng))}@{filler.host(rng)}{ending}"


def secret_url(rng: Random) -> str:
    """Return a URL with a secret in its query."""
    name = rng.choice(SECRET_PARAMETERS)
    size = {"X-Amz-Signature": 64}.get(name, rng.choice((24, 32, 40)))
    secret = (
        hexadecimal(rng, size)
        if name == "X-Amz-Signature" or rng.random() < 0.3
        else token(rng, ALNUM if rng.random() < 0.5 else URL_SAFE, size)
    )
    others = [f"page={rng.randint(1, 9)}", "format=json", f"{name}={mark('URL_SECRET', secret)}"]
    if name == "X-Amz-Signature":
        others = ["X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Expires=3600", "X-Amz-SignedHeaders=host", others[-1]]
    elif name == "code":
        others = [others[-1], f"state={hexadecimal(rng, 8)}"]
    return f"https://{filler.host(rng)}/{rng.choice(('v1/items', 'callback', 'export/report.csv'))}?{'&'.join(others)}"


def sas_url(rng: Random) -> str:
    signature = mark("AZURE_SAS_TOKEN", quote(base64_of(rng, 32), safe=""))
    times = f"se={filler.moment(rng):%Y-%m-%dT%H:%M:%SZ}&st={filler.moment(rng):%Y-%m-%dT%H:%M:%SZ}"
    signed = f"sv=2022-11-02&ss=bfqt&srt=sco&sp=rwdlacupx&{times}&spr=https&sig={signature}"
    return signed if rng.random() < 0.2 else f"https://{of(rng, 'abcdef', 8)}.blob.core.windows.net/exports/report.csv?{signed}"


def storage_connection(rng: Random) -> str:
    account, secret = of(rng, "abcdefgh", 8), mark("AZURE_STORAGE_KEY", base64_of(rng, 64))
    return f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={secret};EndpointSuffix=core.windows.net"


def slack_webhook(rng: Random) -> str:
    where = f"T{of(rng, UPPER_ALNUM, 10)}/B{of(rng, UPPER_ALNUM, 10)}"
    return f"https://hooks.slack.com/services/{mark(TOLERATED, where)}/{mark('SLACK_WEBHOOK', of(rng, ALNUM, 24))}"


def discord_webhook(rng: Random) -> str:
    host = rng.choice(("discord.com", "discordapp.com", "canary.discord.com"))
    return f"https://{host}/api/webhooks/{mark(TOLERATED, digits(rng, 19))}/{mark('DISCORD_WEBHOOK', token(rng, URL_SAFE, 68))}"


def sentry_dsn(rng: Random) -> str:
    region = rng.choice(("", "us.", "de."))
    return f"https://{mark('SENTRY_TOKEN', hexadecimal(rng, 32))}@o{digits(rng, 6)}.ingest.{region}sentry.io/{digits(rng, 7)}"


def bearer(rng: Random) -> str:
    name = rng.choice(("Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization"))
    return f"{name}: {rng.choice(('Bearer', 'Bearer', 'bearer'))} {mark('BEARER_TOKEN', opaque(rng))}"


def basic(rng: Random) -> str:
    pair = base64.b64encode(f"{people.user_name(rng)}:{password(rng)}".encode()).decode()
    return f"{rng.choice(('Authorization', 'authorization', 'Proxy-Authorization'))}: Basic {mark('BASIC_AUTH', pair)}"


def okta(rng: Random) -> str:
    return f"Authorization: SSWS {mark('OKTA_TOKEN', '00' + token(rng, URL_SAFE, 40))}"


def session(rng: Random) -> str:
    return rng.choice(
        (hexadecimal(rng, 32), token(rng, ALNUM, 26), f"s%3A{token(rng, URL_SAFE, 32)}.{of(rng, ALNUM, 43)}", base64url_of(rng, 48))
    )


def cookie(rng: Random) -> str:
    """Return a Cookie or Set-Cookie header (RFC 6265); of several cookies only that of the session is a secret."""
    name = rng.choice(SESSION_COOKIES)
    own = f"{name}={mark('COOKIE', session(rng))}"
    if rng.random() < 0.5:
        return f"Set-Cookie: {own}; {mark(TOLERATED, 'Path=/; HttpOnly; Secure; SameSite=Lax')}"
    before = f"{mark(TOLERATED, 'theme=dark')}; " if rng.random() < 0.6 else ""
    after = f"; {mark(TOLERATED, 'lang=en-GB')}" if rng.random() < 0.5 else ""
    return f"{rng.choice(('Cookie', 'cookie'))}: {before}{own}{after}"


def pem(rng: Random) -> str:
    """Return a private key in PEM (RFC 7468), at times cut off as in a log."""
    kind = rng.choice(PEM_TYPES)
    lines = folded(base64_of(rng, rng.choice((138, 300, 600, 1190))), 70 if "OPENSSH" in kind else 64)
    headers = "\n" if kind.startswith("PGP") else ""
    if kind == "RSA PRIVATE KEY" and rng.random() < 0.2:
        headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{mark(TOLERATED, hexadecimal(rng, 32).upper())}\n\n"
    end = "" if rng.random() < 0.08 else f"\n-----END {kind}-----"
    return f"-----BEGIN {kind}-----\n{headers}{mark('PRIVATE_KEY', lines)}{end}"


def putty(rng: Random) -> str:
    """Return a private key as PuTTY writes it."""
    public, private = (folded(base64_of(rng, size), 64) for size in (140, 290))
    head = f"PuTTY-User-Key-File-{rng.choice('23')}: ssh-rsa\nEncryption: none\nComment: {mark(TOLERATED, 'imported-openssh-key')}\n"
    shown = f"Public-Lines: {public.count(chr(10)) + 1}\n{mark(TOLERATED, public)}\n"
    hidden = f"Private-Lines: {private.count(chr(10)) + 1}\n{mark('PRIVATE_KEY', private)}\n"
    return f"{head}{shown}{hidden}Private-MAC: {mark(TOLERATED, hexadecimal(rng, 64))}"


def folded(text: str, width: int) -> str:
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def service_account(rng: Random) -> str:
    """Return the JSON of a Google service account."""
    project = f"northwind-{of(rng, 'abcdef', 5)}"
    secret = mark("GCP_SERVICE_ACCOUNT", folded(base64_of(rng, 1190), 64))
    account = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": mark(TOLERATED, hexadecimal(rng, 40)),
        "private_key": f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n",  # pragma: allowlist secret
        "client_email": mark(TOLERATED, f"agent@{project}.iam.gserviceaccount.com"),
        "client_id": mark(TOLERATED, digits(rng, 21)),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps(account, ensure_ascii=False, indent=rng.choice((None, 2)))


def key_value_dsn(rng: Random) -> str:
    """Return a connection string of names and values: ADO.NET, libpq, JDBC."""
    secret, where = mark("GENERIC_SECRET", token(rng, ALNUM, rng.randint(12, 24))), filler.host(rng)
    return rng.choice(
        (
            f"Server={where},1433;Database=crm;User Id={mark(TOLERATED, 'app')};Password={secret};Encrypt=True;",
            f"host={where} port=5432 dbname=app user={mark(TOLERATED, 'app')} password={secret} sslmode=require",
            f"jdbc:postgresql://{where}:5432/app?user={mark(TOLERATED, 'app')}&password={secret}",
        )
    )


STRUCTURES: tuple[tuple[str, Write], ...] = (
    ("DATABASE_URL_PASSWORD", database_url), ("SNOWFLAKE_TOKEN", snowflake_url), ("URL_PASSWORD", web_url), ("URL_SECRET", secret_url),
    ("AZURE_SAS_TOKEN", sas_url),
    ("AZURE_STORAGE_KEY", storage_connection), ("SLACK_WEBHOOK", slack_webhook), ("DISCORD_WEBHOOK", discord_webhook),
    ("SENTRY_TOKEN", sentry_dsn),
    ("BEARER_TOKEN", bearer), ("BASIC_AUTH", basic), ("OKTA_TOKEN", okta), ("COOKIE", cookie), ("PRIVATE_KEY", pem), ("PRIVATE_KEY", putty),
    ("GCP_SERVICE_ACCOUNT", service_account), ("GENERIC_SECRET", key_value_dsn),
)  # fmt: skip


def placed(rng: Random, text: str) -> str:
    """Return such a text as it comes up: alone, in a variable, in a command, in a sentence."""
    plain = unmark(text)
    if "\n" in plain:
        return rng.choice((text, f"cat key.pem\n{text}\n$ ", f"Here is the file:\n\n{text}\n\n{filler.sentence(rng)}"))
    if ": " in plain and not plain.startswith(("{", "http")):
        return rng.choice(
            (
                text,
                f'curl -s -H "{text}" https://{filler.host(rng)}/v1/items',
                f"> {text}\n> Accept: application/json\n",
                _request(rng, text),
            )
        )
    if plain.startswith("{"):
        return text
    forms = (
        text,
        f"URL={text}",
        f'export ENDPOINT="{text}"',
        f"connecting to {text} failed",
        f"Use {text} for it.",
        f"<{text}>",
        f"`{text}`",
        f"url: '{text}'",
    )
    return rng.choice(forms)


def _request(rng: Random, header: str) -> str:
    return f"GET /v1/items HTTP/1.1\r\nHost: {filler.host(rng)}\r\nUser-Agent: python-httpx/0.28.1\r\n{header}\r\nAccept: */*\r\n\r\n"
