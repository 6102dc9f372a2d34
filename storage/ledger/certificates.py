"""Whose certificate signed a time-stamp: its purpose, and the way from it to a trusted root (RFC 5280, section 6, without revocation).

The verifier of the library is for TLS and refuses certificates that are for time-stamping alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_INTERMEDIATES: Final = 5


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
    if not _leads_to(signer, others, roots, time, 0):
        raise ChainError("its certificate does not lead to a trusted root that is valid at its time: check ca_file")


def _leads_to(
    certificate: "Certificate", others: "Sequence[Certificate]", roots: "Sequence[Certificate]", time: datetime, below: int
) -> bool:
    """Say whether a chain leads from a certificate to a root. `below` counts the certificate authorities under it."""
    if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
        return False
    if certificate in roots:
        return True
    for issuer in (*roots, *others):
        if issuer != certificate and _issued(certificate, issuer, below):
            rest = [each for each in others if each != issuer]
            if below <= MOST_INTERMEDIATES and _leads_to(issuer, rest, roots, time, below + 1):
                return True
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
