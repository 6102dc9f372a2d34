"""Credentials of what runs, watches and protects software: databases as a service, monitoring, secret stores, identity providers."""

from typing import Final

from redaction.secrets.checks import has_digit, mixed, random_looking
from redaction.secrets.rule import HEX, URLSAFE, UUID, WORD, SecretRule, assigned, called, near, prefixed, shaped, words_of

DATA: Final = (
    shaped("DATABRICKS_TOKEN", "Databricks token", f"d(?:api|kea|ose){HEX}{{32,40}}(?:-[0-9]{{1,2}})?", after="(?![A-Za-z0-9])"),
    SecretRule(
        name="Snowflake session token",
        entity="SNOWFLAKE_TOKEN",
        shape="ver:[0-9]-hint:[0-9]{4,24}-",
        expression="ver:[0-9]-hint:[0-9]{4,24}-[A-Za-z0-9+/=_-]{16,}+",
        score=0.95,
        long=True,
    ),
    assigned(
        "SNOWFLAKE_TOKEN",
        "Snowflake secret by name",
        r"snowflake[a-z0-9_\-. ]{0,16}(?:token|password|pat|secret|key)|snowsql_pwd",
        r"[^\s\"'`,;<>(){}\[\]\\]{8,480}",
        accept=has_digit,
    ),
    prefixed("PLANETSCALE_TOKEN", "PlanetScale token", "pscale_(?:tkn|pw|oauth)_", "[A-Za-z0-9_.=\\-]", 30, 80, alone=False),
    prefixed("NEON_KEY", "Neon key", "napi_", "[a-z0-9]", 50, 70),
    shaped("MONGODB_KEY", "Atlas service account secret", "mdb_sa_sk_[A-Za-z0-9_-]{36,48}", after=""),
    prefixed("CONFLUENT_KEY", "Confluent secret", "cflt", "[A-Za-z0-9/+]", 56, 64, accept=mixed),
    prefixed("CLICKHOUSE_KEY", "ClickHouse Cloud secret", "4b1d", WORD, 38, 38, accept=mixed),
)

MONITORING: Final = (
    assigned("DATADOG_KEY", "Datadog key by name", r"(?:datadog|\bdd|_dd)[a-z0-9_\-. ]{0,16}key", f"(?:{HEX}{{40}}|{HEX}{{32}})"),
    called("DATADOG_KEY", "Datadog key", f"(?:{HEX}{{40}}|{HEX}{{32}})", "datadog", "dd"),
    prefixed("DATADOG_KEY", "Datadog application key", "ddap[ip]?_", WORD, 30, 48),
    prefixed("NEWRELIC_KEY", "New Relic key", "NR(?:AK|JS|II|IQ|RA|AA|SP)-", URLSAFE, 18, 60),
    shaped("NEWRELIC_KEY", "New Relic licence key", "(?:(?:eu|gov)[0-9]{2}xx)?[0-9a-f]{30,40}NRAL"),
    assigned("NEWRELIC_KEY", "New Relic key by name", r"new[_\-. ]?relic[a-z0-9_\-. ]{0,16}key", "[0-9a-zA-Z]{32,40}"),
    prefixed("SENTRY_TOKEN", "Sentry token", "sntry[su]_", "[A-Za-z0-9_=+/\\-]", 40, 480, alone=False),
    SecretRule(
        name="Sentry DSN",
        entity="SENTRY_TOKEN",
        shape=r"://[0-9a-f]{32}(?::[0-9a-f]{32})?@[a-z0-9.\-]{1,80}(?::[0-9]{2,5})?/",
        expression=r"(?<=://)[0-9a-f]{32}(?::[0-9a-f]{32})?(?=@[a-z0-9.\-]{1,80}(?::[0-9]{2,5})?/(?:[\w\-]{1,40}/)?[0-9]{1,20})",
        score=0.96,
    ),
    prefixed("GRAFANA_TOKEN", "Grafana service account token", "glsa_", "[A-Za-z0-9_]", 32, 60, alone=False),
    prefixed("GRAFANA_TOKEN", "Grafana Cloud token", "glc_eyJ", "[A-Za-z0-9+/=_\\-]", 30, 480, alone=False),
    prefixed("GRAFANA_TOKEN", "Grafana key of old", "eyJrIjoi", "[A-Za-z0-9+/=_\\-]", 50, 480, score=0.96),
    prefixed("DYNATRACE_TOKEN", "Dynatrace token", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{20,30}\.", "[A-Z0-9]", 50, 70),
    prefixed("HONEYCOMB_KEY", "Honeycomb key", "hc(?:a|b|i|x|y)(?:ik|lk|mk)_", WORD, 28, 64),
    prefixed("LOGFIRE_TOKEN", "Logfire token", "pylf_v[0-9]_(?:us|eu|local)_", WORD, 32, 64),
)

SECRET_STORES: Final = (
    prefixed("VAULT_TOKEN", "Vault token", r"hv[sbr]\.", URLSAFE, 20, 300, alone=False),
    shaped("VAULT_TOKEN", "Vault token of old", r"[sbr]\.[A-Za-z0-9]{24}", accept=random_looking),
    shaped("TERRAFORM_TOKEN", "Terraform token", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=\-]{50,80}", after=""),
    prefixed("DOPPLER_TOKEN", "Doppler token", r"dp\.(?:pt|st|ct|sa|scim|audit|said)\.", r"[A-Za-z0-9_.\-]", 36, 80),
    SecretRule(
        name="1Password service account",
        entity="ONEPASSWORD_TOKEN",
        shape="ops_eyJ[A-Za-z0-9+/_-]{12}",
        expression="ops_eyJ[A-Za-z0-9+/_-]{40,}+={0,3}",
        score=0.96,
        long=True,
    ),
    shaped("ONEPASSWORD_TOKEN", "1Password secret key", "A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    SecretRule(
        name="age key",
        entity="AGE_SECRET_KEY",
        shape="(?i:AGE-SECRET-KEY-)(?i:PQ-)?1",
        expression="(?i)AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{50,}+",
        score=0.96,
    ),
    prefixed("PULUMI_TOKEN", "Pulumi token", "pul-", HEX, 40, 40),
    prefixed("INFRACOST_KEY", "Infracost key", "ico-", WORD, 32, 32),
    prefixed("TAILSCALE_KEY", "Tailscale key", "tskey-(?:api|auth|client|scim|webhook)-", "[A-Za-z0-9\\-]", 16, 80),
    prefixed("PREFECT_KEY", "Prefect key", "pn[ub]_", WORD, 36, 36),
)

IDENTITY: Final = (
    SecretRule(
        name="Okta token",
        entity="OKTA_TOKEN",
        shape="00" + URLSAFE + "{38}",
        expression=r"(?<![A-Za-z0-9_\-])00[A-Za-z0-9_\-]{38,42}(?![A-Za-z0-9_\-])",
        score=0.35,
        context=words_of("okta"),
        accept=random_looking,
    ),
    SecretRule(
        name="Okta token behind its scheme",
        entity="OKTA_TOKEN",
        shape="SSWS[ \t]",
        expression=r"(?<=\bSSWS[ \t]{1,3})[A-Za-z0-9_\-]{20,80}",
        accept=has_digit,
        score=0.95,
    ),
    called("NEWRELIC_KEY", "New Relic key by context", "[0-9a-f]{40}", "relic", "newrelic"),
    assigned("OKTA_TOKEN", "Okta secret by name", r"okta[a-z0-9_\-. ]{0,16}(?:token|secret|key)", URLSAFE + "{38,66}"),
    assigned("AUTH0_SECRET", "Auth0 secret by name", r"auth0[a-z0-9_\-. ]{0,16}secret", URLSAFE + "{32,88}"),
    near("AUTH0_SECRET", "Auth0 secret", URLSAFE + "{64}", (*words_of("auth0"), "auth0clientsecret"), accept=random_looking),
    prefixed("LAUNCHDARKLY_KEY", "LaunchDarkly key", "(?:sdk|api|mob)-", UUID, 1, 1),
    prefixed("MAPBOX_TOKEN", "Mapbox token", r"sk\.eyJ", "[A-Za-z0-9_.\\-]", 60, 200),
    prefixed("README_KEY", "ReadMe key", "rdme_", "[a-z0-9]", 70, 70),
    assigned("ALGOLIA_KEY", "Algolia key", r"algolia[a-z0-9_\-. ]{0,20}key", HEX + "{32}"),
    called("ALGOLIA_KEY", "Algolia key by context", HEX + "{32}", "algolia"),
)

RULES: Final = (*DATA, *MONITORING, *SECRET_STORES, *IDENTITY)
