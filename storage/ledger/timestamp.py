"""Time-stamps of a trusted authority (RFC 3161 with RFC 5816): a third party's word that a checkpoint existed at a time.

A time-stamp is about the bytes of a checkpoint as they are kept beside it, so that other tools can check it, too:
`openssl ts -verify -data CHECKPOINT -in TIMESTAMP -CAfile CA`. What is verified here: the answer is granted and for these bytes; the
authority's signature over it; that the signing certificate is the one that the signature names, is for time-stamping alone, and leads to a
trusted root, all valid at the time in the time-stamp. Revocation is not looked up: that needs a network.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.ledger import der
from storage.ledger.certificates import ChainError, check_chain
from storage.ledger.der import DerError, Element
from storage.ledger.errors import LedgerError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

REQUEST_TYPE: Final = "application/timestamp-query"
ANSWER_TYPE: Final = "application/timestamp-reply"
MOST_ANSWER_BYTES: Final = 64 << 10
ATTEMPTED: Final = "verify a time-stamp"
DIGESTS: Final = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
SHA256: Final = "2.16.840.1.101.3.4.2.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
FAILURES: Final = {
    0: "the algorithm is not taken",
    2: "the request is not permitted",
    5: "the data format is wrong",
    14: "its time source is not available",
    15: "the policy is not known",
    16: "the extension is not known",
    17: "more information is not available",
    25: "it failed",
}


class TimestampError(LedgerError):
    """An authority's answer is no valid time-stamp of what it is offered for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """What a verified time-stamp says."""

    time: datetime  # in UTC
    authority: str  # subject of the certificate that signed
    policy: str  # object identifier of the authority's policy
    serial: int


def request(document: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq for the SHA-256 of a document that asks for the certificates, too."""
    imprint = der.encode(
        der.SEQUENCE,
        der.encode(der.SEQUENCE, der.encode_oid(SHA256), der.encode(der.NULL)),
        der.encode(der.OCTET_STRING, hashlib.sha256(document).digest()),
    )
    return der.encode(der.SEQUENCE, der.encode_integer(1), imprint, der.encode_integer(nonce), der.encode(der.BOOLEAN, b"\xff"))


def load_roots(path: Path) -> "list[Certificate]":
    """Return the certificates of a PEM file. Raises `TimestampError` when it cannot be read or holds none."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        hint = f"{error.strerror}: name a readable file"
    except ValueError:
        hint = "it must hold certificates in PEM form"
    raise TimestampError("load the certificates of the time-stamping authority", path, hint=hint)


def verify(
    answer: bytes, document: bytes, roots: "Sequence[Certificate]", *, nonce: int | None = None, subject: str = "answer"
) -> Timestamp:
    """Return what the authority's TimeStampResp says about `document`.

    `nonce` is that of the request, where it is known. `subject` names the time-stamp in errors. Raises `TimestampError`.
    """
    try:
        if len(answer) > MOST_ANSWER_BYTES:
            raise _Wrong(f"it has more than {MOST_ANSWER_BYTES} bytes")
        token = _granted(der.parse(answer))
        signed = _SignedData(token)
        info = _Info(signed.content)
        info.check(document, nonce)
        signer = signed.verified_signer()
        check_chain(signer, signed.certificates, roots, info.time)
        return Timestamp(time=info.time, authority=signer.subject.rfc4514_string(), policy=info.policy, serial=info.serial)
    except (DerError, _Wrong, ChainError) as error:
        raise TimestampError(ATTEMPTED, subject, hint=str(error)) from None
    except _malformed():
        raise TimestampError(ATTEMPTED, subject, hint="it is not a time-stamp of RFC 3161") from None


def _malformed() -> tuple[type[Exception], ...]:
    """What comes of fields that are missing, and of certificates that are malformed or of a kind that the library does not know."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType

    kinds = (UnsupportedAlgorithm, DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType)
    return (ValueError, IndexError, OverflowError, *kinds)


class _Wrong(Exception):
    """Why a time-stamp is not valid."""


def _granted(answer: Element) -> Element:
    """Return the token of an answer that grants one."""
    status, *rest = answer.expect(der.SEQUENCE).children()
    number, *details = status.expect(der.SEQUENCE).children()
    if number.integer() not in {0, 1} or not rest:
        why = "".join(f": {text}" for each in details if each.tag == der.BIT_STRING for text in _failures(each.content))
        raise _Wrong(f"the authority did not grant it (status {number.integer()}{why})")
    return rest[0]


def _failures(bits: bytes) -> list[str]:
    """Return what the bits of a PKIFailureInfo mean; the first byte of a BIT STRING counts the unused bits of the last."""
    return [text for bit, text in FAILURES.items() if bit // 8 + 1 < len(bits) and bits[bit // 8 + 1] >> 7 - bit % 8 & 1]


class _SignedData:
    """The CMS SignedData (RFC 5652, section 5) of a time-stamp token, with its one signer."""

    def __init__(self, token: Element) -> None:
        kind, content = token.expect(der.SEQUENCE).children()
        if kind.oid() != SIGNED_DATA:
            raise _Wrong("it holds no signed data")
        _, _, encapsulated, *rest = content.expect(0xA0).children()[0].expect(der.SEQUENCE).children()
        content_type, inner = encapsulated.expect(der.SEQUENCE).children()
        if content_type.oid() != TST_INFO:
            raise _Wrong("what is signed is no time-stamp")
        self.content = inner.expect(0xA0).children()[0].expect(der.OCTET_STRING).content
        self.certificates = [each for part in rest if part.tag == 0xA0 for each in _certificates(part)]
        signers = rest[-1].expect(der.SET).children()
        if len(signers) != 1:
            raise _Wrong("it must have exactly one signer")
        fields = signers[0].expect(der.SEQUENCE).children()
        self._digest = _digest_name(fields[2])
        self._attributes = fields[3].expect(0xA0)
        self._algorithm = fields[4].expect(der.SEQUENCE).children()
        self._signature = fields[5].expect(der.OCTET_STRING).content

    def verified_signer(self) -> "Certificate":
        """Return the certificate whose key signed. Raises `_Wrong` when the signature does not hold."""
        from cryptography.exceptions import InvalidSignature

        attributes = {}
        for attribute in self._attributes.children():
            name, values = attribute.expect(der.SEQUENCE).children()
            if name.oid() in attributes:
                raise _Wrong("a signed attribute stands twice")
            attributes[name.oid()] = values.expect(der.SET).children()[0]
        if CONTENT_TYPE not in attributes or attributes[CONTENT_TYPE].oid() != TST_INFO:
            raise _Wrong("the signature is not about a time-stamp")
        digest = hashlib.new(self._digest, self.content).digest()
        if MESSAGE_DIGEST not in attributes or attributes[MESSAGE_DIGEST].expect(der.OCTET_STRING).content != digest:
            raise _Wrong("the signature is about another time-stamp")
        signer = _named_certificate(attributes, self.certificates)
        try:  # the signature is over the attributes as a SET (RFC 5652, section 5.4)
            _check_signature(signer, self._algorithm, self._digest, self._signature, bytes((der.SET,)) + self._attributes.whole[1:])
        except InvalidSignature:
            raise _Wrong("the signature does not hold") from None
        return signer


class _Info:
    """The TSTInfo (RFC 3161, section 2.4.2)."""

    def __init__(self, content: bytes) -> None:
        version, policy, imprint, serial, time, *rest = der.parse(content).expect(der.SEQUENCE).children()
        if version.integer() != 1:
            raise _Wrong("its version is not known")
        self.policy = policy.oid()
        self.serial = serial.integer()
        self.time = _time(time.expect(der.GENERALIZED_TIME).content.decode("ascii"))
        algorithm, digest = imprint.expect(der.SEQUENCE).children()
        self._imprint = (_digest_name(algorithm), digest.expect(der.OCTET_STRING).content)
        self._nonce = next((each.integer() for each in rest if each.tag == der.INTEGER), None)

    def check(self, document: bytes, nonce: int | None) -> None:
        name, digest = self._imprint
        if digest != hashlib.new(name, document).digest():
            raise _Wrong("it is a time-stamp of something else")
        if nonce is not None and self._nonce != nonce:
            raise _Wrong("it answers another request")


def _time(text: str) -> datetime:
    """Return a GeneralizedTime in UTC; a fraction beyond microseconds is cut."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    if not text.endswith("Z") or len(whole) != 14 or not (whole + fraction).isdigit():
        raise _Wrong("its time is not in UTC")
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def _digest_name(algorithm: Element) -> str:
    oid = algorithm.expect(der.SEQUENCE).children()[0].oid()
    if oid not in DIGESTS:
        raise _Wrong(f"the hash function {oid} is not taken: it must be SHA-256, SHA-384 or SHA-512")
    return DIGESTS[oid]


def _certificates(part: Element) -> "list[Certificate]":
    from cryptography.x509 import load_der_x509_certificate

    return [load_der_x509_certificate(each.whole) for each in part.children() if each.tag == der.SEQUENCE]


def _named_certificate(attributes: Mapping[str, Element], certificates: "Sequence[Certificate]") -> "Certificate":
    """Return the certificate that the signature names by its hash (RFC 2634 and RFC 5035)."""
    from cryptography.hazmat.primitives.serialization import Encoding

    name = SIGNING_CERTIFICATE_V2 if SIGNING_CERTIFICATE_V2 in attributes else SIGNING_CERTIFICATE
    if name not in attributes:
        raise _Wrong("the signature does not name its certificate")
    fields = attributes[name].expect(der.SEQUENCE).children()[0].expect(der.SEQUENCE).children()[0].expect(der.SEQUENCE).children()
    function = "sha1" if name == SIGNING_CERTIFICATE else "sha256"
    if name == SIGNING_CERTIFICATE_V2 and fields[0].tag == der.SEQUENCE:
        function = _digest_name(fields.pop(0))
    wanted = fields[0].expect(der.OCTET_STRING).content
    for each in certificates:
        if hashlib.new(function, each.public_bytes(Encoding.DER), usedforsecurity=False).digest() == wanted:
            return each
    raise _Wrong("the certificate that signed is not in it")


def _check_signature(signer: "Certificate", algorithm: Sequence[Element], digest: str, signature: bytes, message: bytes) -> None:
    """Raise InvalidSignature unless the certificate's key signed the message."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    functions = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    names = {f"1.2.840.113549.1.1.{last}": name for last, name in ((11, "sha256"), (12, "sha384"), (13, "sha512"))}
    names |= {f"1.2.840.10045.4.3.{last}": name for last, name in ((2, "sha256"), (3, "sha384"), (4, "sha512"))}
    oid = algorithm[0].oid()
    function = functions[names.get(oid, digest)]
    key = signer.public_key()
    match key:
        case rsa.RSAPublicKey() if oid == "1.2.840.113549.1.1.10":  # RSASSA-PSS
            key.verify(signature, message, padding.PSS(padding.MGF1(function), padding.PSS.AUTO), function)
        case rsa.RSAPublicKey():
            key.verify(signature, message, padding.PKCS1v15(), function)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, message, ec.ECDSA(function))
        case ed25519.Ed25519PublicKey():
            key.verify(signature, message)
        case _:
            raise _Wrong("the kind of its key is not taken")
