"""What sections of otel-config.yaml are made of: the base of every model, and values with a notation of their own."""

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> Any:
    """Return the seconds of a Go-style duration: `1s`, `200ms`, `1m30s`; `0` needs no unit."""
    if value in {0, "0"}:
        return 0.0
    text = str(value)
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("must be a duration such as 1s, 200ms or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def host_port(endpoint: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port`; an empty host means every interface."""
    if endpoint.startswith(("unix:", "/")):
        raise ValueError("sockets of files are not served: listen on a port of 127.0.0.1, such as 127.0.0.1:4318")
    host, separator, port = endpoint.rpartition(":")
    if not separator or "/" in host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:4318, without http://")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - the Collector's meaning of ":4318"  # nosec B104


def is_loopback(endpoint: str) -> bool:
    """Say whether only this machine can reach `endpoint`."""
    host, _ = host_port(endpoint)
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(value: str) -> str:
    host_port(value)
    return value


Duration = Annotated[float, BeforeValidator(seconds)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://\S+$")]
UrlPath = Annotated[str, Field(pattern=r"^/\S*$")]


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid")
