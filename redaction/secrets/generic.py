"""Secrets without a shape of their own, by the name that they stand under: `password = …`, `"api_key": "…"`, `password is …`."""

from typing import Final

from redaction.secrets.rule import TO, TO_SHAPE, SecretRule
from redaction.secrets.values import bare_key, bare_password, lone_key, quoted_key, quoted_password, random_or_hex_key, told_password

_ENTITY: Final = "GENERIC_SECRET"


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


_SUFFIX: Final = rf"(?:[_.-]?{_any('base value string text prod production dev live test staging old new primary secondary [0-9]{1,2}')})?"
_PASS_SHAPE: Final = _any("pass(?:word|wd|phrase|code|wort)? pwd psw contrase[^ ]a kennwort") + _SUFFIX
_PASS: Final = _any("pass(?:word|wd|phrase|code|wort) pwd (?<![a-z0-9])pass (?<![a-z0-9])psw contrase[^ ]a kennwort") + _SUFFIX
_COUNT: Final = r"(?!(?<=(?<![a-z])(?i:pass)[ \t]{0,3}[=:][ \t]{0,3})[0-9]+(?![^\s,;|]))"
"""`pass: 31815 fail: 8` is the outcome of tests."""
_WHOSE: Final = _any(
    "api app application access auth authentication account admin bot client consumer customer decryption deploy encryption enc fernet "
    "hmac integration jwt licen[cs]e ldap master oauth private (?:private|personal)[_.-]?access project refresh registry rest root secret "
    "security server service session shared signing signature sdk storage subscription user webhook write read bearer csrf"
)
_KEY_SHAPE: Final = rf"(?:{_WHOSE}[_. -]?(?:key|token)|secret(?:[_. -]?access)?(?:[_. -]?(?:key|token))?|token|credentials?){_SUFFIX}"
_KEY: Final = _KEY_SHAPE.replace("|token|", "|(?<![a-z])token|")
_OTHER: Final = _any(
    "next page continuation sync cursor eos bos pad unk sep cls mask stop start end first last special prompt completion input output "
    "cancel cancellation idempotency public foreign partition primary sort cache"
)
_NO_OTHER: Final = rf"(?<!{_OTHER}[_\-. ]?(?:token|key|secret))"
"""Tokens and keys that are no secrets: of pages, of vocabularies, of tables."""

_NO_PLACEHOLDER: Final = r"""(?<!<[A-Z0-9_]{2,48}>\s{0,24}[bfru(\[]{0,2}["'`\\]{0,3})"""
"""What follows `<OPENAI_API_KEY>`, which we write ourselves, is no value of it, neither behind what begins a literal."""

_QUOTED: Final = r"(?<=[\"'`])(?=[^\s\"'`])[^\"'`\r\n\\]{%d,256}+(?=\\{0,3}[\"'`])"
_BARE: Final = r"(?<![\"'`])(?:[^\s\"'`,;&<>()\[\]{}\\|]|&(?![\w.\-]{1,40}=)){%d,256}+(?![(\[{\"'`])"

ASSIGNED: Final = tuple(
    SecretRule(
        name=name,
        entity=_ENTITY,
        shape=f"(?i:{shape}){TO_SHAPE}",
        expression=f"(?<=(?i:{words}){TO}){_NO_PLACEHOLDER}{value}",
        accept=accept,
        score=0.6,
    )
    for name, shape, words, value, accept in (
        ("quoted password", _PASS_SHAPE, _PASS, _QUOTED % 4, quoted_password),
        ("password", _PASS_SHAPE, _PASS, _COUNT + _BARE % 5, bare_password),
        ("quoted key", _KEY_SHAPE, _KEY + _NO_OTHER, _QUOTED % 8, quoted_key),
        ("key", _KEY_SHAPE, _KEY + _NO_OTHER, _BARE % 8, bare_key),
    )
)

_VARIABLE: Final = (
    "(?:PASS(?:WORD|WD|PHRASE|CODE)?|PWD|SECRET|TOKEN|CREDENTIALS?|"
    + _any("API ACCESS AUTH SECRET PRIVATE SIGNING ENCRYPTION MASTER ACCOUNT APP SERVICE LICENSE")
    + "_?KEY)(?:_(?:BASE|PROD|DEV|TEST|LIVE|[0-9]{1,2}))?"
)
_OPTION: Final = _any("password passwd passphrase pass pwd secret token api-?key access-?key secret-?key auth-?key") + "(?:-value)?"
_TOLD: Final = r"(?:pass(?:word|code|phrase|wd)|pwd|secret|api[ _-]?key|token|credentials?)"
_OF: Final = r"(?: (?:for|of|to|on|in) [^\s:=]{1,40}(?: [^\s:=]{1,40}){0,3})?"
_IS: Final = (
    r"(?:(?: (?:is|was|are|will be|to be|became|has been)|[’']s)(?: now| currently| still)?(?: (?:set|changed|reset|updated|rotated) to)?"
    r"|(?: (?:set|changed|reset|updated|rotated))? to| ?[=:]| -)"
)
_SAID: Final = (
    r"(?: (?:for|of|to|on|in|is|was|are|will be|became|has been|set|changed|reset|updated|rotated|now|-)| ?[:=]|[^ a-z0-9]s)[ \t]"
)

WRITTEN: Final = (
    SecretRule(
        name="variable of the environment",
        entity=_ENTITY,
        shape=f"{_VARIABLE}=",
        expression=rf"(?<=\b[A-Z0-9_]{{0,48}}{_VARIABLE}=)(?![\"'`])[^\s\"'`;]{{6,512}}+",
        accept=bare_password,
        score=0.6,
    ),
    SecretRule(
        name="variable of an image",
        entity=_ENTITY,
        shape=r"(?:ENV|ARG|setx)[ \t]{1,3}[A-Za-z][A-Za-z0-9_.\-]{2}",  # the name as well would take seconds to compile
        expression=rf"(?<=\b(?:ENV|ARG|setx)[ \t]{{1,3}}(?:[A-Za-z][A-Za-z0-9_.\-]{{0,47}})?"
        rf"(?i:{_PASS_SHAPE}|{_KEY_SHAPE})[ \t]{{1,3}}[\"']?)"
        r"[^\s\"'`]{6,512}+",
        accept=bare_password,
        score=0.6,
    ),
    SecretRule(
        name="option of a command",
        entity=_ENTITY,
        shape=rf"-{_OPTION}[ \t]|[ \t\"']--?{_OPTION}[ \t]",
        expression=rf"(?<=[ \t\"']--?(?:[a-z0-9]{{1,16}}-){{0,3}}{_OPTION}[ \t]{{1,3}}[\"']?)[^\s\"'`<>]{{6,256}}+",
        accept=bare_password,
        score=0.6,
    ),
    SecretRule(
        name="password that is told",
        entity=_ENTITY,
        shape=f"(?i:{_TOLD}{_SAID})",
        expression=rf"(?<=(?i:\b{_TOLD}{_OF}{_IS})[ \t]{{1,3}}[\"'“‘`*]{{0,3}})[^\s\"'“”‘’`,;<>()\[\]{{}}]{{6,128}}(?<![.?:*])",
        accept=told_password,
        score=0.55,
    ),
    SecretRule(
        name="password in quotes",
        entity=_ENTITY,
        shape=r"(?i:pass(?:word|code|phrase|wd)|pwd)[ \t]{1,3}[\"'`]",
        expression=r"(?<=(?i:pass(?:word|code|phrase|wd)|pwd)[ \t]{1,3}[\"'`])[^\s\"'`]{5,128}+(?=[\"'`])",
        accept=told_password,
        score=0.55,
    ),
    SecretRule(
        name="key in quotes",
        entity=_ENTITY,
        shape=rf"(?i:{_WHOSE}[_. -]?(?:key|token)|secret)[ \t]{{1,3}}[\"'`][A-Za-z0-9_\-+/=.~]{{16}}",
        expression=rf"(?<=(?i:{_WHOSE}[_. -]?(?:key|token)|secret)[ \t]{{1,3}}[\"'`])[A-Za-z0-9_\-+/=.~]{{16,256}}+(?=[\"'`])",
        accept=random_or_hex_key,
        score=0.55,
    ),
    SecretRule(
        name="text of an element",
        entity=_ENTITY,
        shape="(?i:password|passwd|pwd|secret|token|key)>[^<]{6}",
        expression=r"(?<=<(?i:[a-z0-9_\-.:]{0,24}(?:password|passwd|pwd|secret|token|api[_\-]?key|access[_\-]?key|secret[_\-]?key))>)[^<>\s]{6,256}+(?=</)",
        accept=quoted_key,
        score=0.6,
    ),
    SecretRule(
        name="private part of a JSON web key",
        entity=_ENTITY,
        shape=r'"d"[ \t]{0,2}:[ \t]{0,2}"[A-Za-z0-9_\-]{40}',
        expression=r'(?<="d"[ \t]{0,2}:[ \t]{0,2}")[A-Za-z0-9_\-]{40,}+(?=")',
        accept=lone_key,
        score=0.6,
        long=True,
    ),
)

NEARBY: Final = (
    SecretRule(
        name="random value behind a word",
        entity=_ENTITY,
        shape=r"(?i:token|secret|key|password|passwd|pwd)[ \t][\"'`(]{0,2}[A-Za-z0-9_\-+/~]{20}",
        expression=r"(?<=(?i:token|secret|key|password|passwd|pwd)[ \t][\"'`(]{0,2})[A-Za-z0-9_\-+/~]{20,200}+={0,2}"
        r"(?![A-Za-z0-9_\-+/=~@(\[]|\.\w)",
        accept=lone_key,
        score=0.5,
    ),
    SecretRule(
        name="random value near a word",
        entity=_ENTITY,
        shape=r"[A-Za-z0-9_\-+/~]{20}",
        expression=r"(?<![A-Za-z0-9_\-+/=.~@:])[A-Za-z0-9_\-+/~]{20,200}+={0,2}(?![A-Za-z0-9_\-+/=~@(\[]|\.\w)",
        score=0.1,
        context=("secret", "password", "passwd", "pwd", "apikey", "credential", "credentials", "passcode", "passphrase"),
        accept=lone_key,
    ),
    SecretRule(
        name="random value under a key",
        entity=_ENTITY,
        shape=r"^[A-Za-z0-9_\-+/~.]{16,250}={0,2}$",
        expression=r"(?<![\s\S])[A-Za-z0-9_\-+/~.]{16,250}+={0,2}(?![\s\S])",
        score=0.1,
        context=("token", "auth", "signature", "bearer", "pat", "webhook", "otp", "pin", "cookie", "session secret", "connection string"),
        accept=lone_key,
    ),
)

RULES: Final = (*ASSIGNED, *WRITTEN, *NEARBY)
