"""Users with passwords: the extension `basicauth` (RFC 7617) and what `htpasswd` writes: bcrypt (-B), apr1 (-m) and SHA-1 (-s).

bcrypt takes its time on purpose. It is asked in a thread, one password at a time, so that guessing neither holds up the event loop nor
more than one processor; `collector.authentication.Door` remembers what came out.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Final

from collector.authentication import REALM
from collector.config_admission import BasicAuthConfig
from collector.errors import CollectorError, Overloaded
from collector.sender import Sender

MOST_WAITING: Final = 32
"""Passwords that wait to be checked; who comes then is told to come again."""
BCRYPT_BYTES: Final = 72
"""What bcrypt looks at of a password; htpasswd cuts the rest off, too."""

_BCRYPT: Final = re.compile(rb"\$2[aby]\$(0[4-9]|1[0-7])\$[./A-Za-z0-9]{53}")
_APR1: Final = re.compile(rb"\$apr1\$([^$]{1,8})\$[./A-Za-z0-9]{22}")
_SHA: Final = re.compile(rb"\{SHA\}[A-Za-z0-9+/]{27}=")
_USER: Final = re.compile(r"[^\s:\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,127}")
_REMEDY: Final = "make it with: htpasswd -B FILE USER"
_ITOA64: Final = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_APR1_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


class Passwords:
    """The users of one extension."""

    challenge = f'Basic {REALM}, charset="UTF-8"'

    def __init__(self, hashes: Mapping[bytes, bytes], tenants: Mapping[str, str]) -> None:
        """`hashes` has what htpasswd wrote for each user, at least one."""
        self._hashes = hashes
        self._slowest = max(hashes.values(), key=_effort)
        self._tenants = tenants
        self._one_at_a_time = asyncio.Semaphore(1)
        self._waiting = 0

    async def sender(self, authorization: str) -> Sender | None:
        """Return who that is; an unknown user takes as long as a known one. Raises Overloaded when too many passwords wait."""
        user, password = _user_and_password(authorization)
        if user is None:
            return None
        if self._waiting >= MOST_WAITING:
            raise Overloaded("too many passwords are being checked: send again later")
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                fits = await asyncio.to_thread(password_fits, password, self._hashes.get(user, self._slowest))
        finally:
            self._waiting -= 1
        if not fits or user not in self._hashes:
            return None
        name = user.decode()
        return Sender(name=name, tenant=self._tenants.get(name))


def passwords(identifier: str, section: BasicAuthConfig, content: bytes | None) -> Passwords:
    """Return the users of a section and of the `content` of its file. Raises CollectorError that names the line, never what is in it."""
    hashes: dict[bytes, bytes] = {}
    if section.htpasswd.file is not None and content is not None:
        hashes |= _users(f"extensions.{identifier}: {section.htpasswd.file}", content)
    if section.htpasswd.inline is not None:
        hashes |= _users(f"extensions.{identifier}.htpasswd.inline", section.htpasswd.inline.get_secret_value().encode())
    for user in section.tenants:
        if user.encode() not in hashes:
            raise CollectorError("find the tenants' users", f"extensions.{identifier}.tenants: {user}", hint=f"it is no user: {_REMEDY}")
    return Passwords(hashes, section.tenants)


def password_fits(password: bytes, hashed: bytes) -> bool:
    """Say whether a password is the one that htpasswd hashed; compares in constant time."""
    if hashed.startswith(b"$2"):
        import bcrypt

        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    if hashed.startswith(b"{SHA}"):
        digest = hashlib.sha1(password, usedforsecurity=False).digest()  # what htpasswd -s chose
        return hmac.compare_digest(hashed, b"{SHA}" + base64.b64encode(digest))
    return hmac.compare_digest(hashed, apr1(password, hashed.split(b"$")[2]))


def _effort(hashed: bytes) -> int:
    """Say how long checking takes, so that users who do not exist take no less than any other."""
    return int(hashed[4:6]) if hashed.startswith(b"$2") else int(hashed.startswith(b"$apr1$"))


def apr1(password: bytes, salt: bytes) -> bytes:
    """Return `$apr1$SALT$…`: Apache's MD5 crypt, 1,000 rounds (apr_md5.c, apr_md5_encode)."""
    start = hashlib.md5(password + salt + password, usedforsecurity=False).digest()
    length = len(password)
    first = password + b"$apr1$" + salt + (start * (length // 16 + 1))[:length]
    while length:
        first += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = hashlib.md5(first, usedforsecurity=False).digest()
    for number in range(1000):
        odd = number & 1
        block = password if odd else digest
        block += salt if number % 3 else b""
        block += password if number % 7 else b""
        block += digest if odd else password
        digest = hashlib.md5(block, usedforsecurity=False).digest()
    return b"$apr1$" + salt + b"$" + _base64_of_crypt(digest)


def _base64_of_crypt(digest: bytes) -> bytes:
    """Return 22 characters: groups of three bytes in crypt's order, six bits each, the lowest first."""
    numbers = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _APR1_ORDER]
    numbers.append((digest[11], 2))
    return bytes(_ITOA64[number >> 6 * place & 63] for number, places in numbers for place in range(places))


def _user_and_password(authorization: str) -> tuple[bytes | None, bytes]:
    scheme, _, encoded = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "basic":
        return None, b""
    try:
        pair = base64.b64decode(encoded.strip(" ").encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None, b""
    user, colon, password = pair.partition(b":")
    return (user, password) if colon and b"\0" not in password else (None, b"")


def _users(subject: str, content: bytes) -> dict[bytes, bytes]:
    """Return user → hash of the lines of an htpasswd file."""
    users = dict(_lines(subject, content))
    if not users:
        raise CollectorError("read the passwords", subject, hint=f"there is no user in it: {_REMEDY}")
    return users


def _lines(subject: str, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for number, line in enumerate(content.splitlines(), start=1):
        if (text := line.strip()) and not text.startswith(b"#"):
            user, _, hashed = text.partition(b":")
            if not _is_user(user) or not any(form.fullmatch(hashed) for form in (_BCRYPT, _APR1, _SHA)):
                why = "is not USER:HASH with a hash of bcrypt, apr1 or SHA"
                raise CollectorError("read the passwords", f"{subject}, line {number}", hint=f"it {why}: {_REMEDY}")
            yield user, hashed


def _is_user(user: bytes) -> bool:
    try:
        return _USER.fullmatch(user.decode()) is not None
    except UnicodeDecodeError:
        return False
