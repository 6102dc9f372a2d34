"""E-mail addresses: found wherever they stand, and never fewer than upstream finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer.predefined_recognizers import EmailRecognizer
from tldextract import TLDExtract

from redaction.emails import PRIVATE_SUFFIXES, Emails
from redaction.redactor import Redactor

EMAILS = Emails()
EXTRACT = TLDExtract(cache_dir=None, suffix_list_urls=(), extra_suffixes=PRIVATE_SUFFIXES)


class Stock(EmailRecognizer):
    """Upstream's pattern and check, with the bundled suffix list."""

    def validate_result(self, pattern_text: str) -> bool:
        return bool(EXTRACT(pattern_text).fqdn)


STOCK = Stock()


def found(text: str) -> list[str]:
    """Return the addresses in a text."""
    return [text[start:end] for start, end in EMAILS.find(text)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("GET /users/jane@example.com", "jane@example.com"),
        ("http://h/users?email=bob@example.com", "bob@example.com"),
        ("/login?a=1&user=jane@example.com&x=2", "jane@example.com"),
        ("file:///home/jane@example.com/x", "jane@example.com"),
        ("mail.acme/jane@example.com", "jane@example.com"),
        ("tag#jane@example.com", "jane@example.com"),
        ("联系carol@example.com谢谢", "联系carol@example.com"),
        ("邮箱：carol@example.com", "carol@example.com"),
        ("jane@example.comです", "jane@example.com"),
        ("jane@example.com.bak", "jane@example.com"),
        ("jane@example.com_2024", "jane@example.com"),
        ("jane@example.com-old", "jane@example.com"),
        ("jane@example.com9", "jane@example.com"),
        ("o'brien@example.co.uk.", "o'brien@example.co.uk"),
        ("bounce+jane=example.com@list.example", "bounce+jane=example.com@list.example"),
        ("jane@exämple.de", "jane@exämple.de"),
        ("jane@example。com", "jane@example。com"),
        ("**jane@db.svc.cluster.local**", "jane@db.svc.cluster.local"),
        ("git@example.com wrote", "git@example.com"),
    ],
)
def test_an_address_is_found_wherever_it_stands(text: str, address: str) -> None:
    """Without the path, the parameter's name and what is glued behind."""
    assert found(text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:acme/repo.git",
        "ssh://git@github.com/acme/repo.git",
        "lodash@4.17.21 vue@3.0.0-rc.1 icon@2x.png",
        "@pytest.fixture @app.route x@y.T = a @ b.c",
        "actions/checkout@v4.1",
        "image@sha256:4f9a8b7c",
        "nobody@ @example.com a@b",
    ],
)
def test_what_is_no_address_is_left(text: str) -> None:
    """Versions, decorators, products of matrices, and where a repository lies."""
    assert found(text) == []


def test_neighbours_do_not_hide_each_other() -> None:
    """Upstream takes `example.com-bob` for the first one's domain, and so loses both."""
    covered = "".join(found("jane@example.com-bob@example.org"))
    assert "jane@" in covered
    assert "bob@" in covered


@pytest.mark.parametrize("text", ["/login?user=jane%40example.com", "GET /users/jane@example.com", r"jane\u0040example.com.bak"])
def test_paths_and_escapes_come_out_clean(redactor: Redactor, text: str) -> None:
    """Through the whole redactor."""
    assert "jane" not in redactor.clean_now([(text, None)])[0].text


PIECES = st.sampled_from(
    ["jane", "bob.x", "@", "example.com", "a.co.uk", "x.internal", ".", "-", "_", "+", "'", "=", "&", " ", "é", "谢", "9", "%", "\n"]
)


@settings(max_examples=500, deadline=None)
@given(text=st.lists(PIECES, max_size=10).map("".join))
def test_what_upstream_finds_is_found(text: str) -> None:
    """Every local part with its `@`, and a domain that the suffix list knows."""
    ours = {index for start, end in EMAILS.find(text) for index in range(start, end)}
    for result in STOCK.analyze(text, ["EMAIL_ADDRESS"]):
        assert set(range(result.start, result.end)) <= ours


@pytest.mark.parametrize("unit", ["a@", "a.a@", "@a.", "a@b.co ", "a@" + "b-" * 40, "a" * 99])
def test_finding_is_linear(unit: str) -> None:
    """A chunk of the worst kind costs milliseconds."""
    assert len(found((unit * 4096)[:4096] + "@example.com")) < 4096


@pytest.mark.parametrize(
    "text", ["https://jane:hunter2@example.com/x", "redis://:s3cret.pw@cache.example.com:6379", "https://user:$PASSWORD@example.com"]
)
def test_the_password_and_host_of_a_url_are_no_address(text: str) -> None:
    """`password@host` only looks like one; the password is a credential, and the host stays."""
    assert list(Emails().find(text)) == []


def test_the_user_of_a_url_may_be_an_address() -> None:
    """Who logs in is personal data."""
    assert list(Emails().find("https://jane@example.com/x")) == [(8, 24)]
