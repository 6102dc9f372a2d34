"""Credentials that only the name beside them tells from an id or a hash."""

from random import Random

from benchmarks.corpus.credentials import Credential, after, jwt
from benchmarks.corpus.filler import identifier
from benchmarks.corpus.letters import ALNUM, DIGITS, LOWER, UPPER, URL_SAFE, base64_of, hexadecimal, of, token

WORDS = ("Maple", "Harbor", "Falcon", "Copper", "Winter", "Orchid", "Thunder", "Velvet", "Glacier", "Saffron", "Juniper", "Meadow")


def password(rng: Random) -> str:
    """Return a password as people or password managers make it."""
    style = rng.randrange(4)
    if style == 0:
        return rng.choice(WORDS) + str(rng.randint(10, 9999)) + rng.choice("!#?.*") + rng.choice(("", rng.choice(WORDS)))
    if style == 1:
        return (
            f"{rng.choice(LOWER)}{rng.choice(UPPER)}{rng.choice(DIGITS)}"
            + of(rng, ALNUM + "!#%^*+=?~", rng.randint(10, 21))
            + rng.choice(ALNUM)
        )
    if style == 2:
        return "-".join(of(rng, ALNUM, 6) for _ in range(3))
    return token(rng, ALNUM, rng.randint(14, 32))


def opaque(rng: Random) -> str:
    """Return a secret as services generate it."""
    style = rng.randrange(4)
    if style == 0:
        return hexadecimal(rng, rng.choice((32, 40, 48, 64)))
    if style == 1:
        return base64_of(rng, rng.choice((24, 32, 33, 48)))
    return token(rng, URL_SAFE if style == 2 else ALNUM, rng.randint(20, 48))


CONTEXTUAL: tuple[Credential, ...] = (
    Credential(
        "AWS_SECRET_ACCESS_KEY",
        (lambda rng: base64_of(rng, 30),),
        ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey", "secretAccessKey"),
        named=True,
    ),
    Credential(
        "AWS_SESSION_TOKEN",
        (lambda rng: rng.choice(("IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdz")) + base64_of(rng, rng.choice((180, 240, 360))),),
        ("AWS_SESSION_TOKEN", "aws_session_token", "SessionToken"),
        named=True,
    ),
    Credential(
        "AZURE_STORAGE_KEY", (lambda rng: base64_of(rng, 64),), ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AccountKey"), named=True
    ),
    Credential("ALIBABA_KEY", (after("", ALNUM, 30),), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "aliyun_access_key_secret"), named=True),
    Credential("TENCENT_KEY", (after("", ALNUM, 32),), ("TENCENTCLOUD_SECRET_KEY",), named=True),
    Credential("TWILIO_KEY", (lambda rng: hexadecimal(rng, 32),), ("TWILIO_AUTH_TOKEN", "twilio_auth_token"), named=True),
    Credential("SNOWFLAKE_TOKEN", (jwt, password), ("SNOWFLAKE_TOKEN", "SNOWFLAKE_PASSWORD", "snowflake_password"), named=True),
    Credential("VAULT_TOKEN", (lambda rng: "s." + of(rng, ALNUM, 24),), ("VAULT_TOKEN", "X-Vault-Token"), named=True),
    Credential("COHERE_API_KEY", (after("", ALNUM, 40),), ("COHERE_API_KEY", "CO_API_KEY", "cohere_api_key"), named=True),
    Credential("MISTRAL_API_KEY", (after("", ALNUM, 32),), ("MISTRAL_API_KEY", "mistral_api_key"), named=True),
    Credential(
        "DATADOG_KEY",
        (lambda rng: hexadecimal(rng, 32), lambda rng: hexadecimal(rng, 40)),
        ("DD_API_KEY", "DATADOG_API_KEY", "DD_APP_KEY", "DD-API-KEY"),
        named=True,
    ),
    Credential(
        "PAYPAL_SECRET",
        (lambda rng: "E" + token(rng, URL_SAFE, 79),),
        ("PAYPAL_CLIENT_SECRET", "PAYPAL_SECRET", "paypal_secret"),
        named=True,
    ),
    Credential("PLAID_SECRET", (lambda rng: hexadecimal(rng, 30),), ("PLAID_SECRET", "plaid_secret", "PLAID-SECRET"), named=True),
    Credential(
        "CLOUDFLARE_TOKEN",
        (after("", URL_SAFE, 40), lambda rng: hexadecimal(rng, 37), lambda rng: f"v1.0-{hexadecimal(rng, 24)}-{hexadecimal(rng, 146)}"),
        ("CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "CLOUDFLARE_API_KEY"),
        named=True,
    ),
    Credential("HEROKU_KEY", (identifier,), ("HEROKU_API_KEY", "heroku_api_key"), named=True),
    Credential("VERCEL_TOKEN", (after("", ALNUM, 24),), ("VERCEL_TOKEN", "vercel_token"), named=True),
    Credential("AUTH0_SECRET", (after("", URL_SAFE, 64),), ("AUTH0_CLIENT_SECRET", "AUTH0_SECRET", "auth0_client_secret"), named=True),
    Credential(
        "GENERIC_SECRET",
        (password,),
        ("password", "db_password", "PASSWORD", "passwd", "pwd", "MYSQL_ROOT_PASSWORD", "Password", "smtp_password", "ADMIN_PASSWORD"),
        named=True,
    ),
    Credential(
        "GENERIC_SECRET",
        (opaque,),
        (
            "secret",
            "SECRET_KEY",
            "api_key",
            "apiKey",
            "API_TOKEN",
            "client_secret",
            "FOO_API_KEY",
            "auth_token",
            "access_token",
            "ENCRYPTION_KEY",
            "JWT_SECRET",
            "signing_key",
            "private_token",
            "secretKey",
            "refresh_token",
        ),
        named=True,
    ),
)
"""Kinds that also have a form without a mark of its own stand here again under the same entity."""
