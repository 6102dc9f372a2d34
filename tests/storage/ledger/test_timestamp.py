"""Time-stamps of RFC 3161: what is asked, which answers are believed, and that every other one is refused."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import der
from storage.ledger.der import DerError
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log
from storage.ledger.stamping import answers, stamp, stamped
from storage.ledger.timestamp import TimestampError, load_roots, request, verify
from tests.storage.ledger.time_stamp_authority import NOW, YEAR, Authority, issue
from tests.storage.ledger.written_log import ORIGIN, WrittenLog

VECTORS = Path(__file__).parents[2] / "vectors" / "timestamp"
DOCUMENT = b"a checkpoint\n"
NONCE = 12345
STAMPS = [ExtendedKeyUsageOID.TIME_STAMPING]


def test_an_answer_that_openssl_made_is_believed() -> None:
    """`openssl ts -reply` answered `request(DOCUMENT, NONCE)` for us once."""
    roots = load_roots(VECTORS / "openssl-root.pem")
    found = verify((VECTORS / "openssl.tsr").read_bytes(), DOCUMENT, roots, nonce=NONCE)
    assert found.time == datetime(2026, 11, 22, 2, 1, 19, tzinfo=UTC)
    assert (found.authority, found.policy, found.serial) == ("CN=Stamps,O=auditlake tests", "1.2.3.4.5", 2)


def test_every_flipped_bit_of_an_answer_that_openssl_made_is_refused_or_says_the_same() -> None:
    """What is not signed (the certificates that come along, encodings of parameters) may differ, what is said may not."""
    roots = load_roots(VECTORS / "openssl-root.pem")
    whole = (VECTORS / "openssl.tsr").read_bytes()
    said, believed = verify(whole, DOCUMENT, roots), set[int]()
    for at in range(len(whole)):
        altered = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        with suppress(TimestampError):
            assert verify(altered, DOCUMENT, roots) == said, at
            believed.add(at)
    imprint = whole.index(sha256(DOCUMENT).digest())
    assert not believed & set(range(imprint, imprint + 32))
    assert not believed & set(range(len(whole) - 256, len(whole))), "the RSA signature stands last"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["P-384", "RSA", "Ed25519"],
)
@pytest.mark.parametrize("pss", [False, True])
def test_keys_of_all_common_kinds_are_taken(make: Callable[[], object], pss: bool) -> None:
    root = issue("Root")
    signer = issue("Stamps", root, ca=False, usages=STAMPS, key=make())
    authority = Authority(root=root, signer=signer, pss=pss)
    assert verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, authority.roots, nonce=NONCE).time == NOW


def test_a_chain_may_have_an_intermediate_that_comes_along() -> None:
    root = issue("Root")
    authority = Authority(root=root, intermediate=issue("Between", root, path_length=0))
    assert verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, authority.roots).authority == "CN=Stamps"


def test_a_signer_may_itself_be_trusted() -> None:
    authority = Authority()
    assert authority.signer is not None
    assert verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, [authority.signer.certificate]).time == NOW


def _not_an_authority() -> Authority:
    root = issue("Root")
    return Authority(root=root, intermediate=issue("Between", root, ca=False))


def _too_long() -> Authority:
    root = issue("Root", path_length=0)
    return Authority(root=root, intermediate=issue("Between", root))


def _signer(**fields: object) -> Authority:
    root = issue("Root")
    return Authority(root=root, signer=issue("Stamps", root, ca=False, **fields))  # type: ignore[arg-type]


def _crowd(count: int) -> Authority:
    authority = Authority()
    assert authority.signer is not None
    authority.certificates = [authority.signer.certificate, *[authority.root.certificate] * count]
    return authority


def _mesh() -> Authority:
    """There are 12! ways through these, and none leads to the root."""
    key = ec.generate_private_key(ec.SECP256R1())
    first = issue("Between", key=key)
    several = [first, *(issue("Between", first, key=key) for _ in range(11))]
    authority = Authority(intermediate=first)
    assert authority.signer is not None
    authority.certificates = [authority.signer.certificate, *(each.certificate for each in several)]
    return authority


REFUSED = {
    "another document": (lambda: Authority(imprint=bytes(32)), "of something else"),
    "another request": (lambda: Authority(nonce=1), "another request"),
    "a certificate without a purpose": (_signer, "not for time-stamping"),
    "a certificate for more": (lambda: _signer(usages=[*STAMPS, ExtendedKeyUsageOID.SERVER_AUTH]), "not for time-stamping alone"),
    "a purpose that may be ignored": (lambda: _signer(usages=STAMPS, critical=False), "not for time-stamping alone"),
    "an expired certificate": (lambda: _signer(usages=STAMPS, end=NOW - timedelta(days=1)), "does not lead to a trusted root"),
    "a root that is not trusted": (lambda: Authority(signer=issue("Stamps", issue("Root"), ca=False, usages=STAMPS)), "trusted root"),
    "an issuer that is no authority": (_not_an_authority, "trusted root"),
    "a chain that is too long": (_too_long, "trusted root"),
    "a key that is too short": (lambda: _signer(usages=STAMPS, key=rsa.generate_private_key(65537, 1024)), "trusted root"),
    "more certificates than a chain has": (lambda: _crowd(16), "more than 16"),
    "certificates that all signed each other": (_mesh, "trusted root"),
    "an answer without end": (lambda: _crowd(400), "65536 bytes"),
    "another certificate named": (lambda: Authority(named=issue("Other").certificate), "is not in it"),
    "no certificate": (lambda: Authority(certificates=[]), "is not in it"),
    "the signature of something else": (lambda: Authority(signed_content_type="1.2.840.113549.1.7.1"), "not about a time-stamp"),
    "a local time": (lambda: Authority(time="20261121120000"), "not in UTC"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_proves_nothing_is_refused(case: str) -> None:
    make, said = REFUSED[case]
    authority = make()
    with pytest.raises(TimestampError, match=said):
        verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, authority.roots, nonce=NONCE)


def test_a_refusal_of_the_authority_says_why() -> None:
    """PKIStatus 2, PKIFailureInfo bit 14."""
    bits = der.encode(der.BIT_STRING, b"\x01\x00\x02")
    authority = Authority(status=der.encode(der.SEQUENCE, der.encode_integer(2), bits))
    with pytest.raises(TimestampError, match="status 2: its time source is not available"):
        verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, authority.roots)


def test_fractions_of_a_second_are_read() -> None:
    authority = Authority(time="20261121115959.5Z")
    assert verify(authority.answer(request(DOCUMENT, NONCE)), DOCUMENT, authority.roots).time == NOW - timedelta(seconds=0.5)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_at_all_end_in_another_error(data: bytes) -> None:
    with pytest.raises(TimestampError):
        verify(data, DOCUMENT, [])
    try:
        der.parse(data)
    except DerError:
        return


@given(st.integers(min_value=0, max_value=2**70))
def test_integers_are_read_as_they_were_written(value: int) -> None:
    assert der.parse(der.encode_integer(value)).integer() == value


def test_lengths_and_tags_have_one_form() -> None:
    for data in (
        b"\x04\x81\x01a",
        b"\x04\x82\x00\x80" + bytes(128),
        b"\x04\x80a\x00\x00",
        b"\x1f\x1f\x01a",
        b"\x04\x02a",
        b"\x04\x01ab",
        b"\x04\x84",
        b"",
    ):
        with pytest.raises(DerError):
            der.parse(data)
    assert der.parse(b"\x04\x81\x80" + bytes(128)).content == bytes(128)


def test_a_checkpoint_and_its_time_stamp_are_kept_side_by_side(tmp_path: Path) -> None:
    log, authority = WrittenLog(tmp_path), Authority()
    note = log.grow(5)
    made = stamp(log.reader, authority.answer, authority.roots, nonce=NONCE)
    assert made is not None
    assert made.path.with_suffix(".checkpoint").read_text() == note
    assert (made.checkpoint, made.timestamp.time) == (log.head, NOW)
    assert stamp(log.reader, authority.answer, authority.roots, nonce=NONCE) is None, "nothing was added since"
    log.grow(1)
    authority.time = "20261121130000Z"
    stamp(log.reader, authority.answer, authority.roots, nonce=NONCE)
    assert [each.checkpoint.size for each in stamped(log.reader, authority.roots)] == [5, 6]
    assert len(authority.requests) == 2


def test_an_answer_that_is_not_valid_is_not_kept(tmp_path: Path) -> None:
    log, authority = WrittenLog(tmp_path), Authority(nonce=1)
    log.grow(5)
    with pytest.raises(TimestampError, match="another request"):
        stamp(log.reader, authority.answer, authority.roots, nonce=NONCE)
    assert answers(log.reader) == []


def test_nothing_is_stamped_of_an_empty_log(tmp_path: Path) -> None:
    authority = Authority()
    assert stamp(Log(tmp_path, ORIGIN), authority.answer, authority.roots, nonce=NONCE) is None
    assert authority.requests == []


def test_an_object_identifier_without_end_is_refused() -> None:
    with pytest.raises(DerError, match="too long"):
        der.parse(der.encode(der.OBJECT_IDENTIFIER, b"\xff" * 100 + b"\x01")).oid()


def test_a_time_stamp_that_is_not_valid_does_not_hide_the_others(tmp_path: Path) -> None:
    log, authority = WrittenLog(tmp_path), Authority()
    log.grow(5)
    stamp(log.reader, authority.answer, authority.roots, nonce=NONCE)
    (answers(log.reader)[0].parent / "00000000000000000001-1.tsr").write_bytes(b"damaged")
    (answers(log.reader)[0].parent / "00000000000000000001-1.checkpoint").write_bytes(b"damaged")
    found = stamped(log.reader, authority.roots)
    assert next(found).checkpoint.size == 5
    with pytest.raises(TimestampError, match="cut off"):
        next(found)


def test_an_altered_or_foreign_time_stamp_is_named(tmp_path: Path) -> None:
    log, other, authority = WrittenLog(tmp_path), WrittenLog(tmp_path, "other/collector"), Authority()
    for each in (log, other):
        each.grow(5)
        stamp(each.reader, authority.answer, authority.roots, nonce=NONCE)
    kept, foreign = answers(log.reader)[0], answers(other.reader)[0]
    checkpoint = kept.with_suffix(".checkpoint")
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole.replace(b"\n5\n", b"\n6\n"))
    with pytest.raises(LedgerError, match="of something else"):
        list(stamped(log.reader, authority.roots))
    checkpoint.unlink()
    with pytest.raises(LedgerError, match="read a time-stamp"):
        list(stamped(log.reader, authority.roots))
    kept.write_bytes(foreign.read_bytes())
    checkpoint.write_bytes(foreign.with_suffix(".checkpoint").read_bytes())
    with pytest.raises(LedgerError, match="another log"):
        list(stamped(log.reader, authority.roots))


def test_the_file_of_the_authority_is_pem_or_named(tmp_path: Path) -> None:
    authority = Authority()
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    assert load_roots(path) == authority.roots
    path.write_text("nothing")
    with pytest.raises(TimestampError, match="PEM"):
        load_roots(path)
    with pytest.raises(TimestampError, match="readable"):
        load_roots(tmp_path / "absent.pem")


def test_certificates_of_the_tests_are_what_they_say() -> None:
    """The authority of these tests is one that a stranger would believe: its certificates verify with the library's own rules."""
    authority = Authority()
    assert authority.signer is not None
    authority.signer.certificate.verify_directly_issued_by(authority.root.certificate)
    assert isinstance(authority.root.certificate, x509.Certificate)
    assert authority.root.certificate.not_valid_after_utc == NOW + 10 * YEAR
