"""How a credential comes up in a text: variables, flags, headers, configuration, code, sentences, and encoded."""

import base64
import re
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from benchmarks.corpus import filler
from benchmarks.corpus.credentials import Credential
from benchmarks.corpus.layouts import fields, log_fields, python_dict, rows, table
from benchmarks.corpus.marks import mark, unmark

Mention = Callable[[Random, str, str], str]
"""Writes a text of a name and a marked value."""
HUMP = re.compile("(?<=[a-z])(?=[A-Z])")


def snake(name: str) -> str:
    return HUMP.sub("_", name).lower().replace("-", "_")


def kebab(name: str) -> str:
    return snake(name).replace("_", "-")


def camel(name: str) -> str:
    first, *rest = snake(name).split("_")
    return first + "".join(part.capitalize() for part in rest)


def env_file(rng: Random, name: str, value: str) -> str:
    quoted = rng.choice(("{}", '"{}"', "'{}'")).format(value)
    line = f"{rng.choice(('', '', 'export '))}{name}={quoted}"
    around = [
        f"LOG_LEVEL={rng.choice(filler.LEVELS).lower()}",
        f"PORT={rng.randint(1024, 9999)}",
        line,
        f"APP_ENV={rng.choice(('staging', 'production'))}",
        "DEBUG=0",
    ]
    return "\n".join(around[rng.randint(0, 2) : rng.randint(3, 5)])


def configuration(rng: Random, name: str, value: str) -> str:
    written = name if rng.random() < 0.3 else snake(name) if rng.random() < 0.6 else camel(name)
    return fields(rng, [("endpoint", f"https://{filler.host(rng)}"), (written, value), ("timeout", "30")])


def shell(rng: Random, name: str, value: str) -> str:
    forms = (
        f"docker run --rm -e {name}={value} -p 8080:8080 app:1.4.2",
        f"kubectl create secret generic app --from-literal={name}={value}",
        f"$ export {name}={value}\n$ make deploy\ndeployed in 12 s",
        f"deploy --{kebab(name)} {value} --region eu-west-1",
        f"deploy --{kebab(name)}={value} --verbose",
        f'$env:{name} = "{value}"',
        f"set {name}={value}\r\n",
        f"echo {name}={value} >> .env",
        f"{name}={value} python main.py",
    )
    return rng.choice(forms)


def code(rng: Random, name: str, value: str) -> str:
    forms = (
        f'{snake(name)} = "{value}"\nclient = Client({snake(name)}, timeout=30)',
        f"os.environ['{name}'] = '{value}'",
        f'const {camel(name)} = "{value}";\nawait run({camel(name)});',
        f"process.env.{snake(name).upper()} = '{value}'",
        f'client = Client({snake(name)}="{value}", base_url="https://{filler.host(rng)}")',
        f'var {camel(name)} string = "{value}"',
        f'private static final String {snake(name).upper()} = "{value}";',
        f'<add key="{name}" value="{value}" />',
        f'variable "{snake(name)}" {{\n  default = "{value}"\n}}',
        f"ENV {name} {value}\nRUN pip install app",
    )
    return rng.choice(forms)


def header(rng: Random, name: str, value: str) -> str:
    own = f"X-{kebab(name).removeprefix('x-').title()}: {value}"
    return f"POST /v1/run HTTP/1.1\r\nHost: {filler.host(rng)}\r\n{own}\r\nContent-Type: application/json\r\n\r\n{{}}"


def told(rng: Random, name: str, value: str) -> str:
    forms = (
        "The {0} is {1}.",
        "Set {0} to `{1}` and try again.",
        "{0}: {1}",
        "{0} -> {1}",
        "I put {0}={1} into the file.",
        "use {0} {1} for staging",
        "{0} = “{1}”",
        "my {0} is: {1}",
    )
    return f"{filler.sentence(rng)} {rng.choice(forms).format(rng.choice((name, snake(name), snake(name).replace('_', ' '))), value)}"


def logged(rng: Random, name: str, value: str) -> str:
    return log_fields(rng, [("msg", "loaded"), (rng.choice((name, snake(name))), value), ("source", "env")])


def called(rng: Random, name: str, value: str) -> str:
    return python_dict(rng, [(snake(name), value), ("region", "eu-west-1")])


def tabled(rng: Random, name: str, value: str) -> str:
    if rng.random() < 0.5:
        return table(["variable", "value"], [["LOG_LEVEL", "info"], [name, value]])
    return rows(rng, ["id", snake(name), "region"], [["1", value, "eu-west-1"]])


NAMED: tuple[tuple[str, Mention], ...] = (
    ("env", env_file), ("env", env_file), ("config", configuration), ("config", configuration), ("shell", shell), ("code", code),
    ("code", code),
    ("header", header), ("told", told), ("log-fields", logged), ("call", called), ("table", tabled),
)  # fmt: skip


def bare(rng: Random, _: str, value: str) -> str:
    forms = (
        "{}", "{}\n", "({})", '"{}"', "'{}'", "<{}>", "`{}`", "[{}]", "“{}”", "here you go: {}", "key:{}", "it is {}.", "use {}, please",
        "{};", "try {}!", "->{}", "{}\\n",
        "{}, and delete it afterwards", "**{}**", '["{}"]', "token={}&", "x={}", "{}:", "see\t{}\tabove",
    )  # fmt: skip
    return rng.choice(("", f"{filler.sentence(rng)} ")) + rng.choice(forms).format(value)


def authorised(rng: Random, _: str, value: str) -> str:
    scheme = rng.choice(("Bearer", "Bearer", "token", "Token"))
    forms = (
        f'curl -H "Authorization: {scheme} {value}" https://{filler.host(rng)}/v1/items',
        f"GET / HTTP/1.1\r\nHost: {filler.host(rng)}\r\nAuthorization: {scheme} {value}\r\n\r\n",
        f'headers={{"Authorization": f"{scheme} {value}", "Accept": "application/json"}}',
    )
    return rng.choice(forms)


def refused(rng: Random, _: str, value: str) -> str:
    forms = (
        "Error code: 401 - {{'error': {{'message': 'Incorrect API key provided: {}. Check your settings.', 'code': 'invalid_api_key'}}}}",
        "AuthenticationError: invalid credentials ({})", "fatal: could not read with '{}': 403",
        "ValueError: bad token {}\n    at line 12", "rejected key {} (revoked)",
    )  # fmt: skip
    return rng.choice(forms).format(value)


def in_url(rng: Random, _: str, value: str) -> str:
    value = mark_percent(value)
    forms = (
        f"https://{filler.host(rng)}/v1/items?key={value}&page=2", f"https://{filler.host(rng)}/hook/{value}/send",
        f"git clone https://oauth2:{value}@{filler.host(rng)}/team/app.git",
        f"https://{filler.host(rng)}/#access_token={value}&expires_in=3600",
    )  # fmt: skip
    return rng.choice(forms)


def mark_percent(value: str) -> str:
    """Return the marked value percent-escaped."""
    entity, plain = _opened(value)
    return mark(entity, quote(plain, safe=""))


def encoded(rng: Random, name: str, value: str) -> str:
    """Return a text in Base64, in hexadecimal or wholly percent-escaped; the label is over all of it."""
    entity, plain = _opened(value)
    said = rng.choice((f"{name}={plain}", f"Authorization: Bearer {plain}", f'{{"{snake(name)}": "{plain}"}}', plain))
    style = rng.randrange(4)
    if style < 2:
        hidden = (base64.b64encode if style else base64.urlsafe_b64encode)(said.encode()).decode()
        return rng.choice(("{}", "data: {}", "echo {} | base64 -d", '{{"content": "{}", "encoding": "base64"}}', "  .env: {}\n")).format(
            mark(entity, hidden)
        )
    if style == 2:
        return f"{rng.choice(('', 'hex: ', '0x'))}{mark(entity, said.encode().hex())}"
    return f"payload={mark(entity, quote(said, safe=''))}"


def escaped(rng: Random, name: str, value: str) -> str:
    """Return JSON in which the signs of the secret are \\u escapes, as PHP and Go write some of them, or every character is."""
    entity, plain = _opened(value)
    characters = "[-+/=_.&]" if rng.random() < 0.7 else "."
    hidden = re.sub(characters, lambda found: f"\\u{ord(found[0]):04x}", plain)
    return f'{{"{snake(name)}": "{mark(entity, hidden)}"}}'


def _opened(value: str) -> tuple[str, str]:
    return value[1:].partition("¦")[0], unmark(value)


FORMED_ONLY: tuple[tuple[str, Mention], ...] = (
    ("bare", bare), ("bare", bare), ("bare", bare), ("authorization", authorised), ("error", refused), ("url", in_url),
    ("encoded", encoded), ("escaped", escaped),
)  # fmt: skip


def text_of(rng: Random, credential: Credential) -> tuple[str, str]:
    """Return a marked text with one credential, and how it is written."""
    style, write = rng.choice(NAMED if credential.named else (*NAMED, *FORMED_ONLY))
    return write(rng, rng.choice(credential.names), mark(credential.entity, rng.choice(credential.makes)(rng))), style
