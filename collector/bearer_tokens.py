"""Tokens that stand for a sender: the extension `bearertokenauth` (RFC 6750), its file, and what is kept of a token, which is its SHA-256.

A line of the file is one of

    TOKEN                          as contrib's extension has it
    NAME:TENANT:TOKEN              with a name, and the tenant of everything that is sent with it (empty: what the records say)
    NAME:TENANT:sha256:HEX         the same without the token itself

Empty lines and lines that begin with # are skipped. A token has no colon, so the forms cannot be mistaken for each other.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import ValidationError

from collector.authentication import REALM
from collector.config_admission import BearerTokenAuthConfig, TokenConfig
from collector.errors import CollectorError
from collector.sender import Sender

_NOBODYS: Final = bytes(32)
_FORMS: Final = "write TOKEN, NAME:TENANT:TOKEN or NAME:TENANT:sha256:HEX a line"


class BearerTokens:
    """All tokens of one extension, any of which is valid."""

    def __init__(self, scheme: str, known: Iterable[tuple[bytes, Sender]]) -> None:
        """`known` has the SHA-256 of each token and whose it is."""
        self._scheme = scheme.lower()
        self._key = secrets.token_bytes(32)
        self._known = {self._keyed(digest): (digest, sender) for digest, sender in known}
        self.challenge = f"{scheme or 'Bearer'} {REALM}"

    async def sender(self, authorization: str) -> Sender | None:
        """Return whose token this is, in the same time whichever it is, how many there are, and however much of one fits.

        Tokens are found among all by a digest under a key of this process: nobody can choose what is near to what, so how long the search
        takes tells nothing. What was found is compared in constant time.
        """
        token = self._token(authorization)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known, sender = self._known.get(self._keyed(digest), (_NOBODYS, None))
        return sender if hmac.compare_digest(known, digest) and token else None

    def _keyed(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=32).digest()

    def _token(self, authorization: str) -> str:
        """Return what stands behind the scheme, whose case does not matter (RFC 9110, section 11.1); "" behind another one."""
        if not self._scheme:
            return authorization.strip(" \t")
        scheme, _, token = authorization.strip(" \t").partition(" ")
        return token.strip(" ") if scheme.lower() == self._scheme else ""


def bearer_tokens(identifier: str, section: BearerTokenAuthConfig, content: bytes | None, *, where: str | None = None) -> BearerTokens:
    """Return the tokens of a section and of the `content` of its file; `where` says where the section stands, if not among the extensions.

    Raises CollectorError that names the line, never what is in it.
    """
    where = where or f"extensions.{identifier}"
    tokens = [*section.tokens]
    if section.token is not None:
        tokens.insert(0, TokenConfig(token_hash=section.token))
    if section.filename is not None and content is not None:
        subject = f"{where}: {section.filename}"
        from_file = list(_file_tokens(subject, content))
        if not from_file:
            raise CollectorError("read the tokens", subject, hint=f"the file holds none: {_FORMS}")
        tokens += from_file
    known: dict[bytes, Sender] = {}
    for number, token in enumerate(tokens, start=1):
        sender = Sender(name=token.name or f"{identifier}/{number}", tenant=token.tenant)
        if known.setdefault(token.digest, sender).tenant != sender.tenant:
            raise CollectorError("read the tokens", where, hint=f"{sender.name} has a token of another tenant: give each tenant its own")
    return BearerTokens(section.scheme, known.items())


def _file_tokens(subject: str, content: bytes) -> Iterator[TokenConfig]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CollectorError("read the tokens", subject, hint=f"it is not UTF-8 text: {_FORMS}") from None
    for number, line in enumerate(lines, start=1):
        if (text := line.strip()) and not text.startswith("#"):
            try:
                yield _token_of(text)
            except ValidationError as error:
                problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
                why = f"{'.'.join(map(str, problem['loc'])) or 'token'} {problem['msg'].removeprefix('Value error, ')}"
                raise CollectorError("read the tokens", f"{subject}, line {number}", hint=f"{why}: {_FORMS}") from None
            except ValueError:
                raise CollectorError("read the tokens", f"{subject}, line {number}", hint=_FORMS) from None


def _token_of(text: str) -> TokenConfig:
    parts = [part.strip() for part in text.split(":")]
    match parts:
        case [token]:
            return TokenConfig(token=token)
        case [_, "sha256", _]:  # else the hash would be the token, and whoever reads the file could send
            raise ValueError("a hash needs a tenant, or two colons before it")
        case [name, tenant, token]:
            return TokenConfig(name=name, tenant=tenant or None, token=token)
        case [name, tenant, "sha256", digits]:
            return TokenConfig(name=name, tenant=tenant or None, token_hash=digits)
        case _:
            raise ValueError("not one of the forms")
