"""Credentials as protocols of the web carry them, whoever issued them: tokens, headers, cookies, and what URLs should not hold."""

from typing import Final

from redaction.secrets.checks import has_digit, key_like_or_has_digit, user_and_password
from redaction.secrets.rule import HEX, UUID, SecretRule
from redaction.secrets.values import bare_key, not_a_placeholder, quoted_password, random_or_hex_key

_HEADER: Final = r"""["'`\\\])]{0,3}\s{0,3}[:=,]\s{0,3}[bfr]?["'`\\\[(]{0,3}"""
"""Between a header's name and its value: as sent, in JSON, in Python's and JavaScript's writing, in a shell."""

TOKENS: Final = (
    SecretRule(
        name="JSON web token",
        entity="JWT",
        shape=r"eyJ[A-Za-z0-9_\-]{8}",
        expression=r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}+\.eyJ[A-Za-z0-9_\-]{8,}+(?:\.[A-Za-z0-9_\-]*+)?+",
        score=1.0,
        long=True,
    ),
    SecretRule(
        name="Encrypted JSON web token",
        entity="JWT",
        shape=r"eyJ[A-Za-z0-9_\-]{8}",
        expression=r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]*+\.[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]{8,}+",
        score=1.0,
        long=True,
    ),
    SecretRule(
        name="Bearer token",
        entity="BEARER_TOKEN",
        shape=r"(?i:bearer)[ \t]",
        expression=r"(?i)(?<=\bbearer[ \t]{1,4})[A-Za-z0-9._~+/\-]{16,}+={0,2}",
        accept=has_digit,
        long=True,
    ),
    SecretRule(
        name="Authorization header",
        entity="BEARER_TOKEN",
        shape="(?i:authorization)",
        expression=rf"(?i)(?<=authorization{_HEADER}(?:bearer|token|api-?key|key|oauth|ssws|genie-?key|negotiate|ntlm|hmac|apitoken)"
        r"[ \t:=]{1,4}(?:token=)?[\"'\\]{0,2})[A-Za-z0-9._~+/:!@#$%^&*\-]{6,}+={0,2}",
        accept=not_a_placeholder,
        score=0.91,
        long=True,
    ),
    SecretRule(
        name="Authorization header without a scheme",
        entity="BEARER_TOKEN",
        shape="(?i:authorization)",
        expression=rf"(?i)(?<=authorization{_HEADER})[A-Za-z0-9._~+/\-]{{16,}}+={{0,2}}(?![ \t]+[A-Za-z0-9])",
        accept=random_or_hex_key,
        score=0.91,
        long=True,
    ),
    SecretRule(
        name="Signature of a request",
        entity="BEARER_TOKEN",
        shape=r"(?i:signature|response)[=:][ \t]?[\"']?[A-Za-z0-9+/=%]{24}",
        expression=r"(?i)(?<=(?:AWS4-HMAC-SHA256|Digest|Signature|OAuth)\b[^\r\n]{0,400}\b"
        r"(?:oauth_)?(?:signature|response)[=:][ \t]?[\"']?)[A-Za-z0-9+/=%]{24,}+",
        score=0.91,
    ),
)

BASIC: Final = (
    SecretRule(
        name="Basic authentication",
        entity="BASIC_AUTH",
        shape=r"(?i:basic)[ \t]{1,4}[A-Za-z0-9+/_\-]{6}",
        expression=r"(?i)(?<=\bbasic[ \t]{1,4})[A-Za-z0-9+/_\-]{6,}+={0,2}",
        accept=user_and_password,
        score=0.95,
        long=True,
    ),
    SecretRule(
        name="Basic authentication header",
        entity="BASIC_AUTH",
        shape="(?i:authorization)",
        expression=rf"(?i)(?<=authorization{_HEADER}basic[ \t]{{1,4}})[A-Za-z0-9+/_\-]{{8,}}+={{0,2}}",
        accept=key_like_or_has_digit,
        score=0.95,
        long=True,
    ),
    SecretRule(
        name="Basic authentication stored",
        entity="BASIC_AUTH",
        shape=r"""["']_?auth["'][ \t]{0,3}:|_auth[ \t]{0,2}=""",
        expression=r"""(?<=["']_?auth["'][ \t]{0,3}:[ \t]{0,3}["']|_auth[ \t]{0,2}=[ \t]{0,2}["']?)[A-Za-z0-9+/_\-]{8,}+={0,2}""",
        accept=user_and_password,
        score=0.95,
    ),
    SecretRule(
        name="User and password of a command",
        entity="BASIC_AUTH",
        shape=r"[ \t](?:-u|--user|--proxy-user)[ =\"']{0,3}[\w.@+\-]{1,64}:",
        expression=r"(?<=[ \t](?:-u|--user|--proxy-user)[ =]{0,2}[\"']?[\w.@+\-]{1,64}:)[^\s\"'`<>${}]{4,128}+",
        accept=lambda text: not_a_placeholder(text) and not text.isdigit(),
        score=0.95,
    ),
)

_DATABASES: Final = (
    r"postgres(?:ql)?|mysql|mariadb|mongodb|redis|rediss|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|cockroach|snowflake|cassandra|couchbases?"
    r"|couchdb|influxdb|neo4js?|bolt|db2|trino|presto|redshift|vertica|timescaledb|tidb|nats|kafka|ldaps?|valkey|questdb|duckdb|libsql|sqlite"
)
_SCHEME: Final = rf"(?:{_DATABASES})(?:\+[a-z0-9_]{{2,16}}){{0,2}}"

URLS: Final = (
    SecretRule(
        name="Password of a database URL",
        entity="DATABASE_URL_PASSWORD",
        shape=rf"(?i:{_DATABASES})[A-Za-z0-9_.+]{{0,40}}://",
        expression=rf"(?i)(?<=\b{_SCHEME}://[^\s:/@\"'<>]{{0,64}}:)[^\s\"'`<>@]{{1,256}}+(?:@(?=[^\s\"'`<>@/]{{0,200}}@)[^\s\"'`<>@]{{0,200}}+){{0,3}}(?=@)",
        accept=not_a_placeholder,
        score=1.0,
    ),
    SecretRule(
        name="User and password of a URL",
        entity="URL_PASSWORD",
        shape=r"://[^ ]+@",
        expression=rf"(?i)(?<=\b[a-z][a-z0-9+.\-]{{1,24}}://)(?<!\b{_SCHEME}://)[^\s:/?#\"'`<>@]{{0,255}}:[^\s/\"'`<>@]{{1,255}}+(?=@)",
        accept=lambda text: not_a_placeholder(text.partition(":")[2]),
        score=0.94,
    ),
    SecretRule(
        name="Token of a URL",
        entity="URL_PASSWORD",
        shape=r"://[A-Za-z0-9_.\-~%]{16,255}@",
        expression=r"(?<=://)[A-Za-z0-9_.\-~%]{16,255}+(?=@)",
        accept=random_or_hex_key,
        score=0.93,
    ),
    SecretRule(
        name="Password in a query",
        entity="URL_SECRET",
        shape=r"(?i)[?&#](?:amp;)?[a-z_\-]{0,24}(?:pass|passwd|password|pwd|passphrase)=",
        expression=r"(?i)(?<=[?&#](?:amp;)?[a-z_\-]{0,24}(?:pass|passwd|password|pwd|passphrase)=)[^\s&;#\"'`<>]{3,512}+",
        accept=quoted_password,
        score=0.97,
    ),
    SecretRule(
        name="Secret in a query",
        entity="URL_SECRET",
        shape=r"(?i)[?&#](?:amp;)?(?:[a-z0-9_.\-]{0,24}(?:token|secret|api[_\-]?key|apikey|signature|access[_\-]?key|auth[_\-]?key|subscription-key"
        r"|session[_\-]?id|jwt|assertion|code_verifier|authkey|credential|ticket|otp)|sig|key|code|auth|sid|hmac)=[A-Za-z0-9%+/_.~:=\-]{6}",
        expression=r"(?i)(?<=[?&#](?:amp;)?(?:[a-z0-9_.\-]{0,24}(?:token|secret|api[_\-]?key|apikey|signature|access[_\-]?key|auth[_\-]?key"
        r"|subscription-key|session[_\-]?id|jwt|assertion|code_verifier|authkey|credential|ticket|otp)|sig|key|code|auth|sid|hmac)"
        r"(?<![?&](?:next|page|nextpage|next_page|continuation|sync|cursor|cancel|cancellation|shard|resume|skip|max)[_\-]?token)=)"
        r"(?![A-Za-z]{2,10}-[0-9\-]{1,20}(?![A-Za-z0-9%+/_.~:=\-]))[A-Za-z0-9%+/_.~:=\-]{8,2048}+",
        accept=bare_key,
        score=0.75,
        long=True,
    ),
)

COOKIES: Final = (
    SecretRule(
        name="Cookie header",
        entity="COOKIE",
        shape="(?i:cookie)",
        expression=r"(?i)(?<=(?<!set-)\bcookie" + _HEADER + r")[\w!#$%&*.^|~\-]{1,128}=[^\r\n\"'`\\<>{}]{1,8192}+",
        score=0.96,
        long=True,
    ),
    SecretRule(
        name="Set-Cookie header",
        entity="COOKIE",
        shape="(?i:set-?cookie)",
        expression=r"(?i)(?<=set-?cookie2?" + _HEADER + r"[\w!#$%&*.^|~\-]{1,128}=)[^\s;,\"'\\<>{}]{4,4096}+",
        score=0.97,
        long=True,
    ),
    SecretRule(
        name="Cookie of a command",
        entity="COOKIE",
        shape=r"(?:-b|--cookie)[ =]",
        expression=r"(?<=[ \t](?:-b|--cookie)[ =]{1,2}[\"']?)[\w.\-]{1,64}=[^\r\n\"'`<>{}]{4,4096}+",
        accept=has_digit,
        score=0.96,
    ),
    SecretRule(
        name="Session cookie",
        entity="COOKIE",
        shape=r"(?i:sess(?:ion)?(?:[_\-.]?id)?|connect\.sid|sid|csrftoken|xsrf-token|remember_(?:user_)?token"
        r"|\.AspNetCore\.[\w.]{1,40}|__(?:host|secure)-[\w.\-]{1,60})=[\"']?[A-Za-z0-9%+/_.~:=\-]{12}",
        expression=r"(?i)(?<=(?:\b[a-z_.\-]{0,24}sess(?:ion)?(?:[_\-.]?id)?|connect\.sid|\bsid|csrftoken|xsrf-token|remember_(?:user_)?token"
        r"|\.AspNetCore\.[\w.]{1,40}|__(?:host|secure)-[\w.\-]{1,60})=[\"']?)"
        rf"(?!(?<=(?<![a-z])(?:[a-z]{{1,16}}[_.\-])?session[_\-.]?id=[\"']?)(?:{UUID}|{HEX}{{32}})(?![A-Za-z0-9%+/_.~:=\-]))[A-Za-z0-9%+/_.~:=\-]{{12,4096}}+",
        accept=random_or_hex_key,
        score=0.72,
        long=True,
    ),
)

RULES: Final = (*TOKENS, *BASIC, *URLS, *COOKIES)
