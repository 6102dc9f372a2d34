"""The way of one input through everything that reads what was sent: `take` is what the fuzzer and the properties call.

The first byte of an input chooses signal, encoding and compression; the rest is the body. Only a refusal or success may come out of it.
`python -m benchmarks.soak.decoding CORPUS REPORT INPUTS SEED` fuzzes, led by the branches that are reached (atheris), and ends its process.
"""

import asyncio
import contextlib
import gzip
import json
import math
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import pyarrow as pa
from google.protobuf.descriptor import FieldDescriptor

from collector.admission import admit
from collector.decode import TABLE_OF_SIGNAL, Decoder
from collector.errors import Refused
from collector.receivers.compression import Body
from collector.receivers.encoding import Encoding, decode_request, encode_response, encode_status, response_message
from collector.redact import Walker
from collector.signals import SIGNALS
from collector.status import status_message
from storage.light import without_pandas
from storage.schema import TABLES
from storage.wal import BatchHeader
from tests.collector.otlp_samples import complete_messages
from tests.fakes import FakeCleaner

TESTS: Final = Path(__file__).parents[2] / "tests"
LIMIT_BYTES: Final = 1 << 20
CODINGS: Final = ("", "gzip", "deflate", "zstd", "zlib")
_INTEGERS: Final = (0, 1, -1, 2**31 - 1, -(2**31), 2**32, 2**63 - 1, -(2**63), 2**64 - 1, 1_795_262_400_000_000_000)
_TEXTS: Final = (
    "",
    "\x00",
    "a" * 16,
    "12345678",
    "canary",
    "gen_ai.request.model",
    '{"a": [1, {"b": null}]}',
    "[" * 500,
    "é😀\u202e",
    "x" * 5000,
)
_PIECES: Final = (
    b"\xff\xff\xff\xff\x07", b"\xff" * 9 + b"\x01", b"\x80", b"\x0a\x00", b"\x12\x02\x0a\x00", b"\x0b", b"\x0c", bytes(16), b"\xff" * 8,
    b"\xc0\x80", b"{", b"}", b"[", b"]", b'"', b",", b"null", b"-1", b"1e999", b"NaN", b'"NaN"', b"18446744073709551616", b'"\\ud800"',
    b'{"a":' * 50, b'{"resourceSpans":[',
    b'"attributes":[{"key":"k","value":{"arrayValue":{"values":[{}]}}}]', b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x78\x9c",
)  # fmt: skip
_EDGES: Final[dict[int, Sequence[Any]]] = {
    **dict.fromkeys(range(1, 5), _INTEGERS),  # of the four integer types
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -0.0, 1e308, 5e-324, math.nan, math.inf, -math.inf),
    FieldDescriptor.CPPTYPE_STRING: _TEXTS,
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}
_NAMES: Final = tuple(SIGNALS)
_ENCODINGS: Final = tuple(Encoding)


def prefix(signal: str, encoding: Encoding, coding: str = "") -> bytes:
    """Return the byte before a body that `take` reads the same way."""
    return bytes([_NAMES.index(signal) + 3 * _ENCODINGS.index(encoding) + 6 * CODINGS.index(coding)])


def take(data: bytes) -> str:
    """Decompress, parse, admit, redact, encode, decode into rows; return the outcome. Raises nothing but what would be a defect."""
    if not data:
        return "empty"
    choice = data[0]
    signal, encoding = SIGNALS[_NAMES[choice % 3]], _ENCODINGS[choice // 3 % 2]
    try:
        body = Body(CODINGS[choice // 6 % 5], LIMIT_BYTES)
        body.feed(data[1:])
        message = decode_request(signal, encoding, body.finish())
    except Refused as error:
        encode_status(status_message(error), encoding)
        return error.reason
    admitted = admit(signal, message)
    encode_response(signal, response_message(signal, sum(admitted.rejected.values()), admitted.message), encoding)
    if not admitted.records:
        return "nothing"
    findings = asyncio.run(Walker(FakeCleaner(), id_key=bytes(32)).clean(signal, message))
    header = BatchHeader(
        signal=signal.name, tenant=None, received_ns=time.time_ns(), policy_hash="", records=admitted.records, redactions=findings.by_record
    )
    decoder = Decoder("fuzz/collector", 0)
    added = decoder.add(header, message.SerializeToString())
    table = decoder.tables(os.urandom)[TABLE_OF_SIGNAL[signal.name]]
    table.validate(full=True)
    assert added == admitted.records == table.num_rows, "every admitted record is a row"
    assert table.schema.equals(TABLES[TABLE_OF_SIGNAL[signal.name]])
    return "taken"


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: real requests, the specification's examples, and a message with every field set, in every dress."""
    captures = sorted((TESTS / "captures").glob("*.pb"))
    bodies = [(file.stem.rpartition("-")[2], Encoding.PROTOBUF, file.read_bytes()) for file in captures]
    for file in sorted((TESTS / "vectors" / "otlp-json").glob("*.json")):
        signal = {"trace": "traces", "events": "logs"}.get(file.stem, file.stem)
        bodies.append((signal, Encoding.JSON, json.dumps(json.loads(file.read_text()), separators=(",", ":")).encode()))
    for signal, _, message, _ in complete_messages():
        bodies.append((signal, Encoding.PROTOBUF, message.SerializeToString()))
    for signal, encoding, body in bodies:
        yield prefix(signal, encoding) + body
        yield prefix(signal, encoding, "gzip") + gzip.compress(body, mtime=0)
        yield prefix(signal, encoding, "deflate") + zlib.compress(body)
        yield prefix(signal, encoding, "zstd") + bytes(pa.compress(body, codec="zstd", asbytes=True))


def mutated(data: bytes, size: int, seed: int) -> bytes:
    """Return another input: its bytes changed, or, of every third, a message that is whole, with some of its fields changed."""
    chance = Random(seed)
    signal = SIGNALS[_NAMES[data[0] % 3]] if data else SIGNALS["traces"]
    if not data or chance.randrange(3):
        return _bytes_changed(data, chance)[:size]
    try:
        body = Body(CODINGS[data[0] // 6 % 5], LIMIT_BYTES)
        body.feed(data[1:])
        message = decode_request(signal, _ENCODINGS[data[0] // 3 % 2], body.finish())
    except Refused:
        message = signal.request.FromString(chance.choice(_complete()[signal.name]))
    for _ in range(chance.randrange(1, 4)):
        _change(message, chance)
    return (prefix(signal.name, Encoding.PROTOBUF) + message.SerializeToString())[:size]


@cache
def _complete() -> dict[str, list[bytes]]:
    messages = list(complete_messages())
    return {name: [message.SerializeToString() for signal, _, message, _ in messages if signal == name] for name in SIGNALS}


def _bytes_changed(data: bytes, chance: Random) -> bytes:
    """Return bytes with some flipped, taken out, doubled, or put in."""
    changed = bytearray(data or b"\0")
    for _ in range(1 << chance.randrange(5)):
        at = chance.randrange(len(changed) + 1)
        until = min(len(changed), at + (1 << chance.randrange(8)))
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 2:
                del changed[at:until]
            case 3:
                changed[at:at] = changed[at:until]
            case _:
                changed[at:at] = chance.choice(_PIECES)
    return bytes(changed)


def _change(message: Any, chance: Random) -> None:
    """Set one field somewhere below `message` to a value at the edge of what it may hold."""
    while True:
        field = chance.choice(message.DESCRIPTOR.fields)
        if field.message_type is None:
            value = chance.choice(_EDGES.get(field.cpp_type, (0, 1, 99)))
            value = value.encode() if field.type == field.TYPE_BYTES else value
            _set(message, field, value, chance)
            return
        held = getattr(message, field.name)
        message = (chance.choice(held) if len(held) and chance.randrange(4) else held.add()) if field.is_repeated else held
        if not field.is_repeated:
            message.SetInParent()


def _set(message: Any, field: FieldDescriptor, value: Any, chance: Random) -> None:
    with contextlib.suppress(ValueError):  # beyond the range of a smaller number
        if field.is_repeated:
            getattr(message, field.name).extend([value] * chance.randrange(1, 5))
        else:
            setattr(message, field.name, value)


def prepare() -> None:
    """Be a process like the sealer's that has loaded all it needs: what the first input of a kind imports is not its own time."""
    without_pandas()
    for data in seeds():
        take(data)


class Watch:
    """What the fuzzer saw; written down after every thousand inputs, because its process ends without a word."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._outcomes: Counter[str] = Counter()
        self._slowest_seconds = 0.0

    def __call__(self, data: bytes) -> None:
        """Take one input and measure its processor time."""
        begun = time.process_time()
        self._outcomes[take(data)] += 1
        self._slowest_seconds = max(self._slowest_seconds, time.process_time() - begun)
        if self._outcomes.total() % 1000 == 0:
            self.write()

    def write(self) -> None:
        """Write the counts so far."""
        found = {"outcomes": dict(sorted(self._outcomes.items())), "slowest_seconds": round(self._slowest_seconds, 3)}
        temporary = self._report.with_suffix(".new")
        temporary.write_text(json.dumps(found))
        temporary.replace(self._report)


def main() -> None:
    """Fuzz until all inputs are taken; a defect ends the process with another status, and its input is left beside the report."""
    import atheris

    corpus, report, inputs, seed = sys.argv[1:5]
    prepare()
    for function in instrumented():
        atheris.instrument_func(function)
    limits = ["-max_len=65536", "-len_control=20", "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", "-verbosity=1"]
    artifacts = f"-artifact_prefix={Path(report).parent}/"
    arguments = [sys.argv[0], f"-runs={inputs}", f"-seed={seed}", *limits, artifacts, corpus]
    atheris.Setup(arguments, Watch(Path(report)), custom_mutator=mutated)
    atheris.Fuzz()


def instrumented() -> Iterator[Any]:
    """Yield the functions whose branches lead the fuzzer."""
    import types

    for name, module in list(sys.modules.items()):
        if not name.startswith(("collector.receivers", "collector.decode", "collector.admission", "collector.walk", "collector.values")):
            continue
        for holder in [module, *(each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name)]:
            yield from (each for each in vars(holder).values() if isinstance(each, types.FunctionType) and each.__module__ == name)


if __name__ == "__main__":
    main()
