"""E-mail addresses by their `@`, wherever they stand: in paths, queries, between ideographs, with something glued behind; pure.

Upstream asks the public-suffix list about its whole match, so `users/jane@example.com` and `jane@example.com.bak` pass as no
address. Here only what follows the `@` is asked about, and any beginning of it may be the domain.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tldextract import TLDExtract

from redaction.expressions import compiled
from redaction.secrets.checks import random_or_hex

PRIVATE_SUFFIXES: Final = ("corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localhost", "private", "test")
"""Names that no public list knows and that addresses inside organisations end in (RFC 2606, 6761, 6762, 9476)."""

_DOMAIN: Final = compiled(r"\w+(?:-+\w+)*+(?:[.。．｡]\w+(?:-+\w+)*+)++")
_CUT: Final = re.compile(r"[-._。．｡]|(?<=[a-zA-Z])(?=[^a-zA-Z])|(?<=[^\x00-\x7f])(?=[\x00-\x7f])")
_LOCAL: Final = compiled(r"(?r)[\w.!#$%&'*+\-/=?^`{|}~]+")
_ADDRESS_OF_A_REPOSITORY: Final = re.compile(r"[:/]\w")
_VERSION: Final = re.compile(r"\d+\.\d+\.")
_PARAMETER: Final = re.compile(r"(?:.*[&;])?[\w.\-\[\]]*=", re.DOTALL)
_USER_INFO: Final = compiled(r"(?r)(?<=://)([^\s/?#\"'<>@]+)")
_USER_INFO_CHARS: Final = 256
_TOKEN_CHARS: Final = 20
_CUTS: Final = 12
"""So many beginnings of a domain are tried at most, the longest first, and so many of the shortest."""


class Emails:
    """Finds addresses. Knows the bundled suffix list and the private suffixes; never asks the network."""

    def __init__(self) -> None:
        self._extract = TLDExtract(cache_dir=None, suffix_list_urls=(), extra_suffixes=PRIVATE_SUFFIXES)

    def find(self, text: str, _key_words: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
        """Yield where addresses stand; linear in the text."""
        at = text.find("@")
        while at >= 0:
            domain = _DOMAIN.match(text, at + 1)
            if domain is not None and (start := _start_of_local(text, at)) < at and (length := self._known(domain.group())):
                end = at + 1 + length
                is_place = text[start:at] == "git" and _ADDRESS_OF_A_REPOSITORY.match(text, end)  # git@host:path says where, not who
                if not is_place and not _VERSION.match(text, at + 1) and not _is_credential(text, at):  # package@4.20.19.dev1
                    yield start, end
            at = text.find("@", at + 1)

    def _known(self, domain: str) -> int:
        """Return the length of the longest beginning of `domain` under a known suffix; 0 for none."""
        cuts = [match.start() for match in _CUT.finditer(domain)]
        beginnings = cuts if len(cuts) <= 2 * _CUTS else cuts[:_CUTS] + cuts[-_CUTS:]
        return next((end for end in (len(domain), *reversed(beginnings)) if end and self._extract(domain[:end]).fqdn), 0)


def _start_of_local(text: str, at: int) -> int:
    """Return where the local part before `at` begins: after a path, a query's parameter, and punctuation."""
    match = _LOCAL.match(text, pos=0, endpos=at)
    if match is None:
        return at
    start: int = match.start()
    cut = max(text.rfind(char, start, at) for char in "/?#")
    if cut >= 0:
        parameter = _PARAMETER.match(text, cut + 1, at) if text[cut] == "?" else None
        start = parameter.end() if parameter else cut + 1
    while start < at and not (text[start].isalnum() or text[start] == "_"):
        start += 1
    return start


def _is_credential(text: str, at: int) -> bool:
    """Whether what stands before `@` in a URL is `user:password` or a token: the host behind it is no part of a person's address."""
    user_info = _USER_INFO.match(text, pos=max(0, at - _USER_INFO_CHARS), endpos=at)
    return user_info is not None and (":" in user_info[1] or (len(user_info[1]) >= _TOKEN_CHARS and random_or_hex(user_info[1])))
