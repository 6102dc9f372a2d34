"""Whoever sends is known by a token or a password, and by nothing else: what is nearly right, doubled or malformed is refused alike."""

import asyncio
import base64
import hashlib
import hmac
import string
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from pydantic import ValidationError

from collector.authentication import LONGEST_CHARS, MOST_REFUSED, Door, authorization_of
from collector.bearer_tokens import BearerTokens, bearer_tokens
from collector.config_admission import BasicAuthConfig, BearerTokenAuthConfig
from collector.errors import CollectorError, Overloaded, Unauthenticated
from collector.passwords import MOST_WAITING, apr1, password_fits, passwords
from collector.sender import Sender
from tests.tokens import made_token

TOKEN, OTHER = made_token("one"), made_token("other")
PASSWORD = made_token("password", 9)


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(content: str | None = None, **section: Any) -> Door:
    """A door with these tokens, `content` is that of its file."""
    if content is not None:
        section["filename"] = Path("tokens")
    return Door(bearer_tokens("bearertokenauth", BearerTokenAuthConfig(**section), None if content is None else content.encode()))


def basic(lines: str, **section: Any) -> Door:
    return Door(passwords("basicauth", BasicAuthConfig(htpasswd={"inline": lines}, **section), None))


def sent(door: Door, authorization: str | None) -> Sender | None:
    """Whom the door takes the sender for, None when it refuses."""
    try:
        return asyncio.run(door.sender(authorization))
    except Unauthenticated:
        return None


def credentials(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_each_form_of_a_token_in_the_configuration_is_taken() -> None:
    section = {
        "token": TOKEN,
        "tokens": [
            OTHER,
            {"name": "agent-7", "tenant": "acme", "token": "third-token"},
            {"name": "x", "token_hash": "sha256:" + hashed("fourth")},
        ],
    }
    door = bearer(**section)
    assert sent(door, f"Bearer {TOKEN}") == Sender(name="bearertokenauth/1")
    assert sent(door, f"Bearer {OTHER}") == Sender(name="bearertokenauth/2")
    assert sent(door, "Bearer third-token") == Sender(name="agent-7", tenant="acme")
    assert sent(door, "Bearer fourth") == Sender(name="x")


def test_each_form_of_a_line_in_the_file_is_taken() -> None:
    door = bearer(f"# comment\n\n{TOKEN}\r\n agent-7:acme:{OTHER} \nagent-8::sha256:{hashed('third').upper()}\n")
    assert sent(door, f"Bearer {TOKEN}") == Sender(name="bearertokenauth/1")
    assert sent(door, f"Bearer {OTHER}") == Sender(name="agent-7", tenant="acme")
    assert sent(door, "Bearer third") == Sender(name="agent-8")


def test_two_tokens_of_one_name_are_valid_at_once_so_that_they_can_be_rotated() -> None:
    door = bearer(f"agent-7:acme:{TOKEN}\nagent-7:acme:{OTHER}\n")
    assert sent(door, f"Bearer {TOKEN}") == sent(door, f"Bearer {OTHER}") == Sender(name="agent-7", tenant="acme")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.swapcase()}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN},",
        f'Bearer "{TOKEN}"',
        f"Bearer\t{TOKEN}",
        f"Bearer\xa0{TOKEN}",
        f"Bearer {TOKEN}\x00",
        f"Bearer {TOKEN}\xe4",
        f"Bearer {TOKEN}\udc80",
        f"Bearer {hashed(TOKEN)}",
        f"Bearer sha256:{hashed(TOKEN)}",
        "Bearer " + "x" * LONGEST_CHARS,
    ],
)
def test_what_is_not_exactly_a_token_is_refused(authorization: str | None) -> None:
    door = bearer(token=TOKEN)
    assert sent(door, authorization) is None
    assert sent(door, f"Bearer {TOKEN}") is not None


@pytest.mark.parametrize("authorization", [f"bearer {TOKEN}", f"BEARER   {TOKEN}", f"  Bearer {TOKEN} \t"])
def test_case_of_the_scheme_and_spaces_around_do_not_matter(authorization: str) -> None:
    """RFC 9110, sections 5.5 and 11.1."""
    assert sent(bearer(token=TOKEN), authorization) is not None


def test_another_scheme_or_none_can_be_configured() -> None:
    assert sent(bearer(token=TOKEN, scheme="ApiKey"), f"apikey {TOKEN}") is not None
    assert sent(bearer(token=TOKEN, scheme="ApiKey"), f"Bearer {TOKEN}") is None
    assert sent(bearer(token=TOKEN, scheme=""), TOKEN) is not None
    assert sent(bearer(token=TOKEN, scheme=""), f"Bearer {TOKEN}") is None


def test_several_authorization_headers_are_refused_even_when_one_is_right() -> None:
    right = f"Bearer {TOKEN}"
    assert authorization_of([(b"content-type", b"x"), (b"authorization", right.encode())]) == right
    assert authorization_of([("authorization", right), ("authorization-bin", b"x")]) == right
    assert authorization_of([("authorization-bin", right.encode())]) is None
    with pytest.raises(Unauthenticated, match="more than one"):
        authorization_of([(b"authorization", right.encode()), (b"authorization", right.encode())])


def test_refusals_never_say_what_was_sent_and_ask_for_the_scheme() -> None:
    with pytest.raises(Unauthenticated) as refused:
        asyncio.run(bearer(token=TOKEN).sender(f"Bearer {OTHER}"))
    assert OTHER not in str(refused.value)
    assert refused.value.challenge == 'Bearer realm="auditlake"'


def test_tokens_are_kept_as_hashes_alone() -> None:
    """Neither the configuration nor what is made of it holds a token, so no message, log or dump of an object can show one."""
    section = BearerTokenAuthConfig(token=TOKEN, tokens=[{"name": "a", "token": OTHER}])
    door = Door(bearer_tokens("bearertokenauth", section, None))
    assert sent(door, f"Bearer {TOKEN}") is not None
    held = [repr(section), section.model_dump_json(), repr(vars(door)), repr(vars(door.credentials))]
    assert not any(token in text for text in held for token in (TOKEN, OTHER))


def test_every_token_costs_one_comparison_in_constant_time_whether_it_is_right_nearly_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the search before it goes by a digest under a key of this process: what is near to what, nobody can choose."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare_digest(one, other)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr("hmac.compare_digest", compare)
    tried = {f"Bearer {TOKEN}": True, f"Bearer {TOKEN[:-1]}": False, "Bearer x": False, "Bearer ": False, f"Basic {TOKEN}": False}
    for authorization, right in tried.items():
        assert (sent(bearer(token=TOKEN, tokens=[OTHER]), authorization) is not None) is right
        ((one, other),) = compared
        assert (len(one), len(other), one == other) == (32, 32, right)
        compared.clear()
    one_process, another = (bearer(token=TOKEN).credentials for _ in range(2))
    assert isinstance(one_process, BearerTokens)
    assert isinstance(another, BearerTokens)
    assert not {bytes.fromhex(hashed(TOKEN)), *one_process._known} & another._known.keys()


@pytest.mark.parametrize("form", ["SHA", "apr1"])
def test_hashes_of_passwords_are_compared_in_constant_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of bcrypt by its own library."""
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: len(one) == len(other))
    assert password_fits(b"what compare_digest says, counts", HTPASSWD[form].encode())


@pytest.mark.parametrize("token", ["", " ", "a b", "töken", "line\nbreak", "nul\x00", 12345678])
def test_what_no_header_can_carry_is_no_token(token: object) -> None:
    with pytest.raises(ValidationError):
        BearerTokenAuthConfig(token=token)


def test_a_hash_is_no_token() -> None:
    """Else whoever reads the configuration could send with what stands there."""
    with pytest.raises(ValidationError, match="token_hash"):
        BearerTokenAuthConfig(token=f"sha256:{hashed(TOKEN)}")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n\n",
        "a:b",
        f"a:b:c:{TOKEN}",
        "a:b:sha256:beef",
        "a:b:",
        "a:sha256:beef",
        "two words",
        ":acme:token",
        "naïve:acme:token",
        "\xff",
    ],
)
def test_a_bad_file_of_tokens_is_refused_by_line_and_without_its_text(content: str) -> None:
    with pytest.raises(CollectorError, match=r"could not read the tokens: extensions\.bearertokenauth: tokens") as refused:
        bearer_tokens("bearertokenauth", BearerTokenAuthConfig(filename=Path("tokens")), content.encode("latin-1"))
    assert TOKEN not in str(refused.value)
    if content == "a:b":
        assert "line 1 (" in str(refused.value)


def test_a_token_of_two_tenants_is_refused() -> None:
    with pytest.raises(CollectorError, match="give each tenant its own"):
        bearer(f"a:acme:{TOKEN}\nb:umbrella:{TOKEN}\n")


def test_replaced_credentials_are_forgotten_at_once() -> None:
    door = bearer(token=TOKEN)
    assert sent(door, f"Bearer {TOKEN}") is not None
    door.replace(bearer(token=OTHER).credentials)
    assert sent(door, f"Bearer {TOKEN}") is None
    assert sent(door, f"Bearer {OTHER}") is not None


HTPASSWD = {
    "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt as htpasswd spells it": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "apr1": apr1(PASSWORD.encode(), b"saltsalt").decode(),
    "SHA": "{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode(),
}


@pytest.mark.parametrize("form", list(HTPASSWD))
def test_passwords_that_htpasswd_hashed_are_known(form: str) -> None:
    door = basic(f"alice:{HTPASSWD[form]}\nbob:{HTPASSWD[form]}", tenants={"alice": "acme"})
    assert sent(door, credentials("alice", PASSWORD)) == Sender(name="alice", tenant="acme")
    assert sent(door, credentials("bob", PASSWORD, "basic")) == Sender(name="bob")
    assert sent(door, credentials("alice", PASSWORD + "x")) is None
    assert sent(door, credentials("carol", PASSWORD)) is None


def test_apr1_is_what_openssl_and_htpasswd_compute() -> None:
    """Made with `openssl passwd -apr1 -salt …`, of an empty text and of 40 times x."""
    assert password_fits(b"", b"$apr1$zzzz$m.JMbh8Jgz1SCkghb8ltn/")
    assert password_fits(b"x" * 40, b"$apr1$ab$FiHbuuOAxqtN.GlsS4Osk.")
    assert not password_fits(b"x" * 41, b"$apr1$ab$FiHbuuOAxqtN.GlsS4Osk.")


def test_who_does_not_exist_is_checked_as_long_as_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time tells which names are users, where old hashes stand before new ones."""
    asked: list[bytes] = []

    def fits(_: bytes, against: bytes) -> bool:
        asked.append(against)
        return False

    monkeypatch.setattr("collector.passwords.password_fits", fits)
    sha = "{SHA}" + base64.b64encode(hashlib.sha1(b"x", usedforsecurity=False).digest()).decode()
    slow = bcrypt.hashpw(b"x", bcrypt.gensalt(5)).decode()
    quick = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    assert sent(basic(f"alice:{sha}\nbob:{slow}\ncarol:{quick}"), credentials("nobody", "x")) is None
    assert asked == [slow.encode()]


def test_a_password_longer_than_bcrypt_reads_is_cut_as_htpasswd_does() -> None:
    long = string.ascii_letters * 2
    door = basic("alice:" + bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode())
    assert sent(door, credentials("alice", long)) is not None


@pytest.mark.parametrize("authorization", ["Basic", "Basic !", "Basic YWxpY2U=", f"Bearer {TOKEN}", "Basic ä", "Basic YQ", "Basic Og=="])
def test_malformed_basic_credentials_are_refused(authorization: str) -> None:
    assert sent(basic(f"alice:{HTPASSWD['SHA']}"), authorization) is None


@pytest.mark.parametrize(
    "lines", ["", "alice", "alice:plain", f":{HTPASSWD['SHA']}", "alice:$2y$18$" + "x" * 53, "alice:$6$salt$hash", "alice:{SHA}x"]
)
def test_a_line_that_is_no_user_with_such_a_hash_is_refused(lines: str) -> None:
    with pytest.raises(CollectorError, match=r"htpasswd -B") as refused:
        basic(lines)
    assert "plain" not in str(refused.value)


def test_a_tenant_of_a_user_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CollectorError, match="carol"):
        basic(f"alice:{HTPASSWD['SHA']}", tenants={"carol": "acme"})


class Counting:
    """Credentials that count how often they are asked."""

    challenge = "Bearer"

    def __init__(self, answer: Sender | None) -> None:
        self.asked = 0
        self.answer = answer

    async def sender(self, authorization: str) -> Sender | None:
        self.asked += 1
        return self.answer


def test_a_password_is_checked_once_whether_it_was_right_or_wrong() -> None:
    for answer in (Sender(name="alice"), None):
        asked = Counting(answer)
        door = Door(asked)
        assert sent(door, "x") == sent(door, "x") == answer
        assert asked.asked == 1


def test_a_flood_of_wrong_credentials_takes_no_memory_and_leaves_the_known_ones() -> None:
    door = bearer(token=TOKEN)
    assert sent(door, f"Bearer {TOKEN}") is not None

    async def flood() -> None:
        for number in range(MOST_REFUSED * 2):
            with pytest.raises(Unauthenticated):
                await door.sender(f"Bearer {number}")

    asyncio.run(flood())
    assert len(door._refused) <= MOST_REFUSED
    assert len(door._known) == 1


def test_who_comes_while_too_many_passwords_wait_is_told_to_come_again() -> None:
    door = basic(f"alice:{HTPASSWD['SHA']}")

    async def flood() -> list[object]:
        asked = (door.sender(credentials("alice", f"guess {number}")) for number in range(MOST_WAITING + 5))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(flood())
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 5
    assert sum(isinstance(answer, Unauthenticated) for answer in answers) == MOST_WAITING
