"""Headers of each request: those that the code gives, and those of `OTEL_EXPORTER_OTLP_HEADERS`, the standard place of a token.

The variable holds `name=value` pairs with commas between them, percent-encoded: `Authorization=Bearer%20TOKEN` (OpenTelemetry, "Specifying
headers via environment variables"). Values are secrets: no message holds one.
"""

import logging
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from auditlake._errors import ConfigurationError

VARIABLE: Final = "OTEL_EXPORTER_OTLP_HEADERS"

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


def request_headers(given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return all headers, names in lower case; what the code gives goes before the environment.

    Raises ConfigurationError for a given header that cannot be sent. One of the environment, which may be meant for another exporter, is
    left out and logged by its name.
    """
    headers = _of_environment(environ.get(VARIABLE, ""))
    for name, value in given.items():
        if not _can_be_sent(name, value):
            raise ConfigurationError("send the header", name, hint="name and value must be printable ASCII, without line breaks")
        headers[name.lower()] = value
    return headers


def _of_environment(text: str) -> dict[str, str]:
    headers = {}
    for number, pair in enumerate(text.split(","), start=1):
        name, equals, value = (part.strip() for part in pair.partition("="))
        name, value = unquote(name).lower(), unquote(value)
        if equals and _can_be_sent(name, value):
            headers[name] = value
        elif pair.strip():
            logging.getLogger("auditlake").warning("%s: pair %d is not name=value, percent-encoded: it is left out", VARIABLE, number)
    return headers


def _can_be_sent(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
