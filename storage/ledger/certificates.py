"""Whose certificate signed a time-stamp: its purpose, and the way from it to a trusted root (RFC 5280, section 6, without revocation).

The verifier of the library is for TLS and refuses certificates that are for time-stamping alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_INTERMEDIATES: Final = 5
MOST_CERTIFICATES: Final = 16
"""That come along with a time-stamp."""
LEAST_RSA_BITS: Final = 2048
LEAST_EC_BITS: Final = 224


class ChainError(Exception):
    """Why a certificate is not trusted."""


def check_chain(signer: "Certificate", others: "Sequence[Certificate]", roots: "Sequence[Certificate]", time: datetime) -> None:
    """Raise `ChainError` unless the signer is for time-stamping alone and leads to a root, each certificate valid at `time`."""
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = signer.extensions.get_extension_for_class(ExtendedKeyUsage)
    except ExtensionNotFound:
        raise ChainError("its certificate is not for time-stamping") from None
    if list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING] or not usage.critical:
        raise ChainError("its certificate is not for time-stamping alone")
    if len(others) > MOST_CERTIFICATES:
        raise ChainError(f"more than {MOST_CERTIFICATES} certificates come along with it")
    if not _leads_to_a_root(signer, others, roots, time):
        raise ChainError("its certificate does not lead to a trusted root that is valid at its time: check ca_file")


def _leads_to_a_root(signer: "Certificate", others: "Sequence[Certificate]", roots: "Sequence[Certificate]", time: datetime) -> bool:
    """Say whether a chain leads from a certificate to a root: all at one distance at a time, so that each is looked at once."""
    left = [each for each in (*roots, *others) if each != signer]
    reached = [signer]
    for below in range(MOST_INTERMEDIATES + 2):
        reached = [each for each in reached if each.not_valid_before_utc <= time <= each.not_valid_after_utc and not _is_weak(each)]
        if any(each in roots for each in reached):
            return True
        issuers = [issuer for issuer in left if any(_issued(each, issuer, below) for each in reached)]
        reached, left = issuers, [each for each in left if each not in issuers]
    return False


def _is_weak(certificate: "Certificate") -> bool:
    """Say whether what is signed with the key of a certificate could be forged. Weak digests are refused by the library."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    match certificate.public_key():
        case RSAPublicKey() as key:
            return key.key_size < LEAST_RSA_BITS
        case EllipticCurvePublicKey() as key:
            return key.key_size < LEAST_EC_BITS
        case _:
            return False


def _issued(certificate: "Certificate", issuer: "Certificate", below: int) -> bool:
    """Say whether a certificate authority signed a certificate, and may: `below` authorities stand between it and the end."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import BasicConstraints, ExtensionNotFound, KeyUsage

    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(BasicConstraints).value
        if not constraints.ca or (constraints.path_length is not None and below > constraints.path_length):
            return False
        return issuer.extensions.get_extension_for_class(KeyUsage).value.key_cert_sign
    except (ValueError, TypeError, InvalidSignature):
        return False
    except ExtensionNotFound as missing:  # a root may leave out what its key is for
        return missing.oid == KeyUsage.oid
