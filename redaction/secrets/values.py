"""Whether the value under a name like `password` is a secret, or a placeholder, a name of the code, a word of prose; pure."""

import re
from typing import Final

from redaction.secrets.checks import entropy_bits, has_digit, random_looking, random_or_hex, switches

_STANDS_FOR: Final = re.compile(
    r"[$%@#]?[({\[<].*"  # ${TOKEN}, $(cat token), {{ token }}, %(token)s, <token>, [REDACTED]
    r"|\$[A-Za-z_]+|\$[A-Z][A-Z0-9_]*|%[A-Za-z_]+%?|@[A-Za-z_]+@"
    r"|(.)\1*|[xX*•.#_\-=?]{3,}"
    r"|.{0,24}(?:\*{3,}|•{3,}|…|\.{3,}|x{6,}|X{6,}).{0,8}"  # sk-..., ****1234
    r"|(?i:0x)?0+|(?:https?|file)://[^@]*|(?:\.{0,2}|~)(?:/[\w.\-]+){2,}/?|[A-Z]:\\.*"
    r"|(?:process\.env|os\.environ|os\.getenv|env|ENV|secrets|vars|config|settings|self|this|args|request|req|params|options|ctx|st|app)"
    r"[.\[(].*|[A-Za-z_][\w.]*\([^()]*\)"
    r"|.*@?sha(?:1|256|512)[:\-].*"
    r"|(?:vault|secretsmanager|ssm|op|arn|ref\+\w+|sops|gcpsm|keyring|file|env)(?::|://).*"
    r"|!(?:vault|secret|env|env_var|reference|Ref|Sub|GetAtt|ImportValue|Join|include)\b.*"  # tags of YAML
    r"|(?i:bearer|token|basic)[ ][$%]?[({\[<].*|-----BEGIN [A-Z ]{1,40}-----|[A-Z][A-Za-z]*\[[\w\[\], .|]*\]"
    r"|(?i:bearer|basic|digest|aes-\d+-\w+|rs256|hs256|es256|sha-?\d+|argon2(?:id)?|bcrypt|pbkdf2)",
    re.DOTALL,
)
_LINE_END: Final = re.compile(r"\\+[rn]")
_EXAMPLE_WORDS: Final = frozenset({
    "a", "abc", "access", "account", "add", "admin", "an", "and", "any", "api", "app", "apikey", "apitoken", "argument", "array",
    "attribute", "auth", "authentication", "aws", "azure", "base", "bar", "be", "blank", "bool", "boolean", "bytes", "change",
    "changeme", "char", "client", "config", "configured", "credential", "credentials", "current", "data", "db", "default", "defined",
    "demo", "dev", "dict", "disabled", "dummy", "empty", "enabled", "encrypted", "enter", "env", "environment", "error", "example",
    "existing", "expired", "fake", "false", "field", "file", "fill", "filler", "fixme", "foo", "for", "from", "function", "generated",
    "get", "github", "given", "goes", "google", "hash", "hashed", "here", "hidden", "id", "in", "input", "insert", "int", "integer",
    "invalid", "is", "it", "json", "key", "keys", "list", "local", "login", "masked", "me", "missing", "must", "my", "name", "needed",
    "new", "nil", "no", "none", "not", "null", "number", "object", "of", "old", "omitted", "on", "openai", "optional", "or", "our",
    "param", "parameter", "pass", "passphrase", "password", "passwd", "paste", "personal", "placeholder", "please", "private", "prod",
    "production", "provided", "public", "put", "pwd", "read", "redacted", "removed", "replace", "request", "required", "reset", "root",
    "sample", "secret", "secrets", "service", "set", "some", "something", "staging", "stage", "str", "string", "sub", "super", "tbd",
    "temp", "template", "test", "testing", "text", "that", "the", "this", "to", "todo", "token", "tokens", "true", "type", "undefined",
    "unknown", "unset", "update", "use", "user", "username", "usr", "valid", "value", "values", "var", "variable", "webhook", "with",
    "write", "xxx", "xyz", "yes", "you", "your",
})  # fmt: skip
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME: Final = re.compile(r"[A-Za-z_]+(?:[-_.:/ ]+[A-Za-z_]+)*")
_CAMEL_CASE: Final = re.compile(r"[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,})*")
_NUMBERED_NAME: Final = re.compile(r"(?:[A-Za-z]{2,}|v?\d{1,4})(?:[-_.:/](?:[A-Za-z]{2,}\d{0,2}|v?\d{1,4}))+")
_NUMBERED_WORD: Final = re.compile(r"[A-Za-z]+_?[Vv]?\d")
_ODD_CAPITALS: Final = re.compile(r"[a-z][A-Z](?![a-z])|\d[A-Z]|[A-Z]\d[a-z]")
_NUMBER: Final = re.compile(r"[-+]?[\d.,:_/\-]+(?:[KkMmGg]?[Bb]?|ms|s|%)")
_PROSE: Final = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "has", "have", "if", "in", "is", "it", "least", "may",
    "more", "must", "no", "not", "of", "on", "or", "please", "should", "than", "that", "the", "this", "to", "was", "will", "with",
    "you", "your",
})  # fmt: skip
_FORMAT: Final = re.compile(r"%s|\{[\w.!:\[\]'\"(), ]{0,60}\}")
"""Where the value comes from a variable: `f'Bearer {token}'`."""
_SYMBOL: Final = re.compile(r"[^\w.:/\-\s]")


def stands_for_a_secret(value: str) -> bool:
    """Whether a value is a placeholder, a reference or an example and not the secret itself."""
    if _STANDS_FOR.fullmatch(value):
        return True
    value = _LINE_END.split(value, maxsplit=1)[0] or value  # of escaped text, of which more may follow
    if _STANDS_FOR.fullmatch(value):
        return True
    words = [word.lower() for word in _WORDS.findall(value)]
    return not has_digit(value) and _SYMBOL.search(value) is None and bool(words) and all(word in _EXAMPLE_WORDS for word in words)


def quoted_password(value: str) -> bool:
    """A literal under `password`: anything but what stands for one, a sentence, or a name in a format string."""
    if stands_for_a_secret(value) or _FORMAT.search(value) is not None:
        return False
    words = value.lower().split()
    return len(words) < 2 or not any(word in _PROSE for word in words)


def bare_password(value: str) -> bool:
    """The same without quotes: a digit, a symbol or odd capitals, or it could be a name of the code or a word of prose."""
    if not quoted_password(value) or _is_name(value):
        return False
    return has_digit(value) or _SYMBOL.search(value) is not None


def told_password(value: str) -> bool:
    """The same in prose, `the password is …`: letters with digits or symbols, no number, no name, no date."""
    return bare_password(value) and any(char.isalpha() for char in value) and _NUMBERED_NAME.fullmatch(value) is None


def quoted_key(value: str) -> bool:
    """A literal under `token`, `secret` or `…_key`: random, or at least no name of anything."""
    if stands_for_a_secret(value) or " " in value or _is_name(value) or _NUMBER.fullmatch(value):
        return False
    return (has_digit(value) or _SYMBOL.search(value) is not None or switches(value) >= 0.3) and entropy_bits(value) >= 2.3


def bare_key(value: str) -> bool:
    """The same without quotes."""
    return quoted_key(value) and (_NUMBERED_NAME.fullmatch(value) is None or (len(value) >= 24 and random_looking(value)))


def lone_key(value: str) -> bool:
    """A value that only words around it make suspicious: random, and not an id with a prefix (`call_…`, `run_…`)."""
    return random_looking(value) and _PREFIXED_ID.match(value) is None


_PREFIXED_ID: Final = re.compile(r"[a-z]{2,12}[-_]")


def _is_name(value: str) -> bool:
    """Words joined by signs, with at most small numbers behind: `user_password`, `my-app-secret`, `config.api_key`, `token2`."""
    if _CAMEL_CASE.fullmatch(value):
        return True
    if _NAME.fullmatch(value):
        return switches(value) < 0.4 and max(map(len, re.split(r"[-_.:/ ]+", value))) < 30
    if _NUMBERED_WORD.fullmatch(value):
        return all(word.lower() in _EXAMPLE_WORDS for word in _WORDS.findall(value))
    return _NUMBERED_NAME.fullmatch(value) is not None and _ODD_CAPITALS.search(value) is None


def not_a_placeholder(value: str) -> bool:
    """Anything but what stands for a secret: for places where nothing but a secret is written."""
    return not stands_for_a_secret(value)


def random_or_hex_key(value: str) -> bool:
    """Random letters and digits of any case, for places where secrets are usual but names and numbers are written, too."""
    return random_or_hex(value) and bare_key(value)
