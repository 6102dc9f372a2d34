"""Values whose key stands elsewhere, in OTLP's own lists and arrays; also before the first scanner is ready."""

import asyncio
import random
import string
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cli.configuration import cache_folder
from collector.anyvalue import as_text, read_attributes
from collector.redact import Walker
from collector.signals import TRACES
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor
from tests.collector.otlp_samples import set_attribute

RNG = random.Random(22)
VALUE = "w3" + "".join(RNG.choices(string.ascii_letters + string.digits, k=9))


class InProcess(Redactor):
    """Scans in this process."""

    async def clean(self, items: Any, *, subject: str | None = None) -> list[Any]:
        return self.clean_now(items, subject=subject)


def stored(walker: Walker, value: object) -> str:
    """What is stored of an attribute."""
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    set_attribute(span.attributes, "x", value)
    asyncio.run(walker.clean(TRACES, message))
    return as_text(read_attributes(span.attributes)["x"])


def new_walker() -> Walker:
    """A walker of the default policy that has seen nothing yet."""
    redactor = InProcess(RedactionConfig(), pseudonym_key=bytes(32), cache_folder=cache_folder())
    return Walker(redactor, id_key=bytes(32))


@pytest.fixture(scope="module")
def walker() -> Walker:
    """One walker for all tests that do not need their own."""
    return new_walker()


def test_a_key_decides_for_what_stands_in_it_from_the_first_request_on() -> None:
    """Before scanners are ready nothing is known about the keys inside."""
    walker = new_walker()
    assert VALUE not in stored(walker, {"address": {"line": VALUE + " Main St", "more": [VALUE]}})
    assert VALUE not in stored(new_walker(), {"name": "DB_PASSWORD", "value": VALUE})


VALUES = (
    {"name": "DB_PASSWORD", "value": VALUE},
    {"env": [{"value": VALUE, "key": "password"}]},
    {"element": "Password field", "text": VALUE},
    {"args": ["-y", "server", "--api-key", VALUE]},
    [["Authorization", VALUE]],
    {"address": {"lines": [VALUE + " Main St"]}},
)


@pytest.mark.parametrize("value", VALUES)
def test_it_goes_at_once_and_later(walker: Walker, value: object) -> None:
    """The first time nothing is known about the keys; afterwards they are remembered."""
    assert VALUE not in stored(walker, value)
    assert VALUE not in stored(walker, value)


@pytest.mark.parametrize(
    "value", [{"name": "weather", "value": "sunny 22"}, {"type": "text", "text": "hello 22"}, ["--name", "build1"], [["a", "b"], [1, 2]]]
)
def test_all_else_stays(walker: Walker, value: object) -> None:
    """What tells nothing changes nothing."""
    before = stored(Walker(walker.redactor, id_key=bytes(32)), value)
    assert "<" not in before
    assert stored(walker, value) == before
