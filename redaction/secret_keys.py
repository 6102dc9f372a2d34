"""Keys of JSON and of attributes whose values are secrets when they are written like one: `{"pwd": …}`, `github_token`.

The keys that are blocked by the policy lose their values whatever these are. The names here are also those of other things (of a folder,
of the outcome of tests, of a token of a text), so the value has a say, as it has in text (`redaction.secrets.generic`).
"""

from typing import Final

from redaction.secrets.values import quoted_key, quoted_password, told_password
from redaction.sensitive_keys import Test, words

LITERAL_CHARS: Final = 4
RANDOM_CHARS: Final = 8
"""Shorter values are words."""

_WORDS_AT_MOST: Final = 4
_LITERALS: Final = frozenset({"passcode", "passwort", "kennwort", "contraseña", "motdepasse", "psw"})
_APART: Final = frozenset({"password", "passphrase", "passwd"})
"""In one word they are the policy's to block: `has_password` is not."""
_MIXED: Final = frozenset({"pwd", "pass", "pw"})
_RANDOM: Final = frozenset({
    "token", "tokenvalue", "apikey", "credential", "credentials", "creds", "jwt", "bearer", "auth", "accesskey", "secretkey", "signingkey",
    "encryptionkey", "sshkey", "authkey", "masterkey", "sharedkey", "storagekey", "accountkey", "hmackey", "webhookkey", "licensekey",
    "servicekey", "deploykey", "sessionkey", "securitykey", "appkey",
})  # fmt: skip
_OTHER_TOKENS: Final = frozenset({
    "next", "page", "continuation", "sync", "cursor", "eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "first",
    "last", "special", "prompt", "completion", "input", "output", "cancel", "cancellation", "idempotency", "public",
})  # fmt: skip
"""Tokens of pages and of vocabularies."""


def secret_key(key: str) -> Test | None:
    """Return what the value of a key has to look like to be a secret; None when the key says nothing."""
    parts = words(key)
    for count in range(min(_WORDS_AT_MOST, len(parts)), 0, -1):
        ending = "".join(parts[-count:])
        if ending in _LITERALS or (count > 1 and ending in _APART):
            return Test.LITERAL
        if ending in _RANDOM:
            return None if _OTHER_TOKENS.intersection(parts[-count - 1 : -count]) else Test.RANDOM
        if ending in _MIXED:
            return Test.MIXED
    return None


def is_secret(text: str, test: Test) -> bool:
    """Whether a value is written like the secret that its key says it is."""
    if test is Test.RANDOM:
        return len(text) >= RANDOM_CHARS and quoted_key(text)
    return len(text) >= LITERAL_CHARS and (told_password(text) if test is Test.MIXED else quoted_password(text))
