"""Credentials that their own form tells from other text, kind by kind, as the issuers document it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from benchmarks.corpus.letters import (
    ALNUM,
    BECH32,
    LOWER_ALNUM,
    UPPER,
    UPPER_ALNUM,
    URL_SAFE,
    base64_of,
    base64url_of,
    crc_token,
    digits,
    hexadecimal,
    of,
    token,
)

Make = Callable[[Random], str]


@dataclass(frozen=True, slots=True)
class Credential:
    """One kind of credential. `named`: without the name beside it nobody could tell it from an id."""

    entity: str
    makes: tuple[Make, ...]
    names: tuple[str, ...]
    named: bool = False


def after(prefix: str, alphabet: str, *lengths: int) -> Make:
    """Return a maker: the prefix and random characters."""
    return lambda rng: prefix + token(rng, alphabet, rng.choice(lengths))


def jwt(rng: Random) -> str:
    """Return a JSON Web Token (RFC 7519) with a signature of 32 or 256 bytes."""
    header = {"alg": rng.choice(("HS256", "RS256", "ES256")), "typ": "JWT"} | ({"kid": hexadecimal(rng, 8)} if rng.random() < 0.4 else {})
    claims = {
        "sub": of(rng, LOWER_ALNUM, 12),
        "iss": "https://auth.northwind.io/",
        "iat": rng.randint(1_700_000_000, 1_800_000_000),
        "scope": "read write",
    }
    parts = (base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join((*parts, base64url_of(rng, rng.choice((32, 64, 256)))))


def aws_id(rng: Random) -> str:
    return rng.choice(("AKIA", "AKIA", "ASIA", "ABIA")) + of(rng, UPPER + "234567", 16)


def discord(rng: Random) -> str:
    user = base64.b64encode(digits(rng, rng.choice((18, 19))).encode()).decode().rstrip("=")
    return f"{user}.{of(rng, URL_SAFE, 6)}.{token(rng, URL_SAFE, rng.choice((27, 38)))}"


def numbers(rng: Random, *lengths: int) -> str:
    return "-".join(digits(rng, length) for length in lengths)


def eyj(rng: Random, size_bytes: int) -> str:
    """Return Base64 of JSON, which is how several issuers begin what follows their prefix."""
    inner = json.dumps({"v": 1, "id": hexadecimal(rng, 16), "s": base64_of(rng, size_bytes)}, separators=(",", ":"))
    return base64.b64encode(inner.encode()).decode()


def entra(rng: Random) -> str:
    return f"{of(rng, ALNUM, 3)}{of(rng, '78', 1)}Q~{token(rng, ALNUM + '_-.~', 34)}"


def onepassword_key(rng: Random) -> str:
    return "A3-" + "-".join(of(rng, UPPER_ALNUM, length) for length in (6, 6, 5, 5, 5, 5))


def pypi(rng: Random) -> str:
    return "pypi-AgEIcHlwaS5vcmcC" + token(rng, URL_SAFE, rng.choice((150, 165)))


def gitlab_routable(rng: Random) -> str:
    return f"glpat-{of(rng, URL_SAFE, 27)}.{of(rng, LOWER_ALNUM, 2)}.{of(rng, LOWER_ALNUM, 9)}"


CLOUD: tuple[Credential, ...] = (
    Credential("AWS_ACCESS_KEY_ID", (aws_id,), ("AWS_ACCESS_KEY_ID", "aws_access_key_id", "AccessKeyId")),
    Credential("GCP_API_KEY", (after("AIza", URL_SAFE, 35),), ("GOOGLE_API_KEY", "GEMINI_API_KEY", "MAPS_KEY")),
    Credential(
        "GCP_OAUTH_TOKEN", (after("ya29.", URL_SAFE, 120, 200), after("ya29.a0", URL_SAFE, 160)), ("access_token", "GOOGLE_OAUTH_TOKEN")
    ),
    Credential("GCP_OAUTH_SECRET", (after("GOCSPX-", URL_SAFE, 28),), ("client_secret", "GOOGLE_CLIENT_SECRET")),
    Credential("AZURE_CLIENT_SECRET", (entra,), ("AZURE_CLIENT_SECRET", "client_secret", "ARM_CLIENT_SECRET")),
    Credential(
        "DIGITALOCEAN_TOKEN",
        (lambda rng: rng.choice(("dop_v1_", "doo_v1_", "dor_v1_")) + hexadecimal(rng, 64),),
        ("DIGITALOCEAN_TOKEN", "DO_TOKEN"),
    ),
    Credential("ALIBABA_KEY", (after("LTAI", ALNUM, 20),), ("ALIBABA_CLOUD_ACCESS_KEY_ID", "accessKeyId")),
    Credential("TENCENT_KEY", (after("AKID", ALNUM, 32),), ("TENCENTCLOUD_SECRET_ID", "SecretId")),
    Credential(
        "FLY_TOKEN", (after("fo1_", URL_SAFE, 43), lambda rng: f"FlyV1 fm2_{base64_of(rng, 150)}"), ("FLY_API_TOKEN", "FLY_ACCESS_TOKEN")
    ),
    Credential("NETLIFY_TOKEN", (after("nfp_", ALNUM, 36),), ("NETLIFY_AUTH_TOKEN",)),
    Credential(
        "SUPABASE_KEY",
        (lambda rng: "sbp_" + hexadecimal(rng, 40), lambda rng: f"sb_secret_{of(rng, URL_SAFE, 22)}_{of(rng, URL_SAFE, 7)}x"),
        ("SUPABASE_ACCESS_TOKEN", "SUPABASE_KEY"),
    ),
    Credential(
        "PLANETSCALE_TOKEN",
        (after("pscale_tkn_", URL_SAFE, 43), after("pscale_pw_", URL_SAFE, 43), after("pscale_oauth_", URL_SAFE, 43)),
        ("PLANETSCALE_SERVICE_TOKEN", "PSCALE_PASSWORD"),
    ),
    Credential(
        "DATABRICKS_TOKEN", (lambda rng: "dapi" + hexadecimal(rng, 32) + rng.choice(("", "-2")),), ("DATABRICKS_TOKEN", "databricks_token")
    ),
    Credential("HEROKU_KEY", (after("HRKU-AA", URL_SAFE, 58),), ("HEROKU_API_KEY",)),
    Credential(
        "VAULT_TOKEN",
        (after("hvs.", URL_SAFE, 95), after("hvb.", URL_SAFE, 150), after("hvs.CAES", URL_SAFE, 90)),
        ("VAULT_TOKEN", "vault_token"),
    ),
    Credential(
        "TERRAFORM_TOKEN",
        (lambda rng: f"{of(rng, ALNUM, 14)}.atlasv1.{token(rng, URL_SAFE, 67)}",),
        ("TFE_TOKEN", "TF_TOKEN_app_terraform_io"),
    ),
    Credential("DOPPLER_TOKEN", (lambda rng: f"dp.{rng.choice(('pt', 'ct', 'sa'))}.{of(rng, ALNUM, 43)}",), ("DOPPLER_TOKEN",)),
    Credential("ONEPASSWORD_TOKEN", (lambda rng: "ops_" + eyj(rng, 200), onepassword_key), ("OP_SERVICE_ACCOUNT_TOKEN", "OP_SECRET_KEY")),
    Credential("AGE_SECRET_KEY", (lambda rng: "AGE-SECRET-KEY-1" + of(rng, BECH32.upper(), 58),), ("SOPS_AGE_KEY",)),
)

CODE: tuple[Credential, ...] = (
    Credential(
        "GITHUB_TOKEN",
        (
            lambda rng: crc_token(rng, rng.choice(("ghp_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"))),
            lambda rng: f"github_pat_{of(rng, ALNUM, 22)}_{of(rng, ALNUM, 59)}",
        ),
        ("GITHUB_TOKEN", "GH_TOKEN", "github_token"),
    ),
    Credential(
        "GITLAB_TOKEN",
        (
            after("glpat-", URL_SAFE, 20),
            gitlab_routable,
            after("gldt-", URL_SAFE, 20),
            after("glrt-", URL_SAFE, 20),
            after("glsoat-", URL_SAFE, 20),
            after("glft-", URL_SAFE, 20),
            lambda rng: "glptt-" + hexadecimal(rng, 40),
            lambda rng: f"glcbt-{hexadecimal(rng, 2)}_{token(rng, URL_SAFE, 20)}",
            after("glimt-", LOWER_ALNUM, 25),
            after("glagent-", URL_SAFE, 50),
            lambda rng: "gloas-" + hexadecimal(rng, 64),
        ),
        ("GITLAB_TOKEN", "CI_JOB_TOKEN"),
    ),
    Credential(
        "BITBUCKET_TOKEN",
        (after("ATBB", ALNUM, 32), lambda rng: f"ATCTT3xFfGN0{of(rng, URL_SAFE, 171)}={hexadecimal(rng, 8).upper()}"),
        ("BITBUCKET_APP_PASSWORD", "BITBUCKET_TOKEN"),
    ),
    Credential(
        "ATLASSIAN_TOKEN",
        (lambda rng: f"ATATT3xFfGF0{of(rng, URL_SAFE, 171)}={hexadecimal(rng, 8).upper()}",),
        ("JIRA_API_TOKEN", "ATLASSIAN_TOKEN"),
    ),
    Credential("NPM_TOKEN", (lambda rng: crc_token(rng, "npm_"),), ("NPM_TOKEN", "NODE_AUTH_TOKEN")),
    Credential("PYPI_TOKEN", (pypi,), ("PYPI_TOKEN", "TWINE_PASSWORD")),
    Credential("RUBYGEMS_KEY", (lambda rng: "rubygems_" + hexadecimal(rng, 48),), ("GEM_HOST_API_KEY", "rubygems_api_key")),
    Credential("CRATES_TOKEN", (after("cio", ALNUM, 32),), ("CARGO_REGISTRY_TOKEN",)),
    Credential("NUGET_KEY", (after("oy2", LOWER_ALNUM[10:] + "234567", 43),), ("NUGET_API_KEY",)),
    Credential("DOCKER_TOKEN", (after("dckr_pat_", URL_SAFE, 27), after("dckr_oat_", URL_SAFE, 32)), ("DOCKER_TOKEN", "DOCKERHUB_TOKEN")),
    Credential("POSTMAN_KEY", (lambda rng: f"PMAK-{hexadecimal(rng, 24)}-{hexadecimal(rng, 34)}",), ("POSTMAN_API_KEY",)),
    Credential(
        "SENTRY_TOKEN",
        (lambda rng: f"sntrys_{eyj(rng, 60)}_{of(rng, ALNUM, 43)}", lambda rng: "sntryu_" + hexadecimal(rng, 64)),
        ("SENTRY_AUTH_TOKEN",),
    ),
    Credential(
        "GRAFANA_TOKEN",
        (lambda rng: f"glsa_{of(rng, ALNUM, 32)}_{hexadecimal(rng, 8)}", lambda rng: "glc_" + eyj(rng, 40)),
        ("GRAFANA_TOKEN", "GRAFANA_API_KEY"),
    ),
    Credential(
        "NEWRELIC_KEY",
        (lambda rng: "NRAK-" + of(rng, UPPER_ALNUM, 27), lambda rng: hexadecimal(rng, 36) + "NRAL"),
        ("NEW_RELIC_API_KEY", "NEW_RELIC_LICENSE_KEY"),
    ),
    Credential("LINEAR_API_KEY", (after("lin_api_", ALNUM, 40), lambda rng: "lin_oauth_" + hexadecimal(rng, 64)), ("LINEAR_API_KEY",)),
    Credential(
        "NOTION_TOKEN",
        (lambda rng: f"ntn_{digits(rng, 11)}{of(rng, ALNUM, 35)}", after("secret_", ALNUM, 43)),
        ("NOTION_TOKEN", "NOTION_API_KEY"),
    ),
    Credential("FIGMA_TOKEN", (after("figd_", URL_SAFE, 40),), ("FIGMA_TOKEN", "FIGMA_ACCESS_TOKEN")),
    Credential("AIRTABLE_TOKEN", (lambda rng: f"pat{of(rng, ALNUM, 14)}.{hexadecimal(rng, 64)}",), ("AIRTABLE_TOKEN", "AIRTABLE_API_KEY")),
    Credential(
        "ASANA_TOKEN",
        (
            lambda rng: f"{rng.randint(1, 2)}/{digits(rng, 16)}:{hexadecimal(rng, 32)}",
            lambda rng: f"2/{digits(rng, 16)}/{digits(rng, 16)}:{hexadecimal(rng, 32)}",
        ),
        ("ASANA_TOKEN", "ASANA_ACCESS_TOKEN"),
    ),
)

BUSINESS: tuple[Credential, ...] = (
    Credential(
        "SLACK_TOKEN",
        (
            lambda rng: f"xoxb-{numbers(rng, 12, 13)}-{of(rng, ALNUM, 24)}",
            lambda rng: f"xoxp-{numbers(rng, 12, 12, 13)}-{hexadecimal(rng, 32)}",
            lambda rng: f"xoxa-2-{numbers(rng, 12, 12, 13)}-{hexadecimal(rng, 32)}",
            lambda rng: f"xapp-1-A{of(rng, UPPER_ALNUM, 10)}-{digits(rng, 13)}-{hexadecimal(rng, 64)}",
            lambda rng: f"xoxe.xoxp-1-{of(rng, ALNUM, 163)}",
        ),
        ("SLACK_BOT_TOKEN", "SLACK_TOKEN", "SLACK_APP_TOKEN"),
    ),
    Credential(
        "STRIPE_KEY",
        (
            after("sk_live_", ALNUM, 24),
            after("sk_live_51", ALNUM, 97),
            after("rk_live_", ALNUM, 24),
            after("sk_test_51", ALNUM, 97),
            after("sk_test_", ALNUM, 24),
            after("whsec_", ALNUM, 32),
        ),
        ("STRIPE_SECRET_KEY", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"),
    ),
    Credential("SENDGRID_KEY", (lambda rng: f"SG.{of(rng, URL_SAFE, 22)}.{token(rng, URL_SAFE, 43)}",), ("SENDGRID_API_KEY",)),
    Credential("TWILIO_KEY", (lambda rng: "SK" + hexadecimal(rng, 32),), ("TWILIO_API_KEY", "TWILIO_API_KEY_SID")),
    Credential(
        "MAILGUN_KEY",
        (lambda rng: "key-" + hexadecimal(rng, 32), lambda rng: f"{hexadecimal(rng, 32)}-{hexadecimal(rng, 8)}-{hexadecimal(rng, 8)}"),
        ("MAILGUN_API_KEY",),
    ),
    Credential("MAILCHIMP_KEY", (lambda rng: f"{hexadecimal(rng, 32)}-us{rng.randint(1, 21)}",), ("MAILCHIMP_API_KEY",)),
    Credential("DISCORD_TOKEN", (discord,), ("DISCORD_TOKEN", "DISCORD_BOT_TOKEN")),
    Credential(
        "TELEGRAM_TOKEN",
        (lambda rng: f"{digits(rng, rng.choice((9, 10)))}:AA{token(rng, URL_SAFE, 33)}",),
        ("TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"),
    ),
    Credential(
        "SHOPIFY_TOKEN",
        (lambda rng: rng.choice(("shpat_", "shpca_", "shppa_", "shpss_")) + hexadecimal(rng, 32),),
        ("SHOPIFY_ACCESS_TOKEN", "X-Shopify-Access-Token"),
    ),
    Credential(
        "SQUARE_TOKEN",
        (after("sq0atp-", URL_SAFE, 22), after("sq0csp-", URL_SAFE, 43), after("EAAA", URL_SAFE, 60)),
        ("SQUARE_ACCESS_TOKEN",),
    ),
    Credential("OKTA_TOKEN", (lambda rng: "00" + token(rng, URL_SAFE, 40),), ("OKTA_API_TOKEN", "OKTA_TOKEN"), named=True),
    Credential("JWT", (jwt,), ("id_token", "ID_TOKEN", "session_jwt")),
)
