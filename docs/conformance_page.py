"""docs/conformance.md: each requirement of the specification with the tests that show it, read from the tests themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.requirements import MAY, MUST, REQUIREMENTS, SHOULD, SURVIVE, Requirement

SUITE = Path(__file__).parent.parent / "tests" / "conformance"

HEAD = """\
# Conformance to OTLP

`tests/conformance/` tests every sentence of the OpenTelemetry Protocol (OTLP 1.11) that a server has to keep, one by one, over real
sockets, against a real collector that is started once: gRPC and HTTP, protobuf and JSON, uncompressed, gzip, deflate and zstd. After
every test another sender's connections, which stay open all the time, still work; at the end the lake is checked (`check_lake`) and the
collector's log has no errors.

```sh
python -m pytest tests/conformance # ours
CONFORMANCE_HTTP_URL=http://127.0.0.1:4318 CONFORMANCE_GRPC_TARGET=127.0.0.1:4317 \\
  python -m pytest tests/conformance # any other server; tests that look at what was stored are skipped
```

The decoder is tested with input that nobody thought of, too: by properties (`tests/collector/test_decoder_properties.py`, in `make test`)
and by a fuzzer that follows the branches it reaches (`python -m benchmarks.soak decoder`, result in
`benchmarks/results/soak-decoder.json`).

This page is generated from the tests (`make docs`).
"""

TITLES = {
    MUST: "What a server must do",
    SHOULD: "What it should do",
    MAY: "What it may do, and this one does",
    SURVIVE: "Bad input that it must survive",
}

NOTES = """
## Where this server decides

* **zstd** is taken over HTTP, by the decoder that comes with pyarrow; gRPC knows gzip and deflate. snappy and lz4 are answered with 415,
  and the answer's `Accept-Encoding` says what would be taken.
* **A known field of another wire type** is an unknown field to protobuf, and ignored. What it holds would be acknowledged and lost, so it
  is refused with 400.
* **A body that never fits** into what `memory_limiter` lets be in flight is too large (413, not to be retried); one that does not fit now
  is overload (429, to be retried).
* **A body that is too large** is answered as soon as that is known, also before it has arrived; what still comes is read and forgotten
  for 20 s.
* **HTTP/1.0** needs `Content-Length`: a body whose end is the end of the connection is answered with 400, not taken for an empty one.
* **An offer to upgrade** to HTTP/2 is ignored, and the request answered as HTTP/1.1.
* **Half-closed connections** get the answers that are due to them; TLS has no half-closed connections.
* **What is no HTTP** is answered with 400 and a `google.rpc.Status`, in JSON when no Content-Type was read.
* **JSON** is nested up to 1,024 deep, messages up to 100 (protobuf's own limit) in either encoding. `NaN`, `Infinity` and `-Infinity` are
  numbers only as text.
* **Times** outside of what a date can be are stored under the day on which they came, and flagged (`clock_flagged`).
"""


def conformance_page() -> str:
    """Return docs/conformance.md."""
    tests = shown_by()
    parts = [HEAD]
    for level, title in TITLES.items():
        rows = [_row(item, tests.get(name, [])) for name, item in REQUIREMENTS.items() if item.level == level]
        parts.append(f"\n## {title}\n\n| | tests |\n|---|---|\n" + "".join(rows))
    return "".join([*parts, NOTES])


def shown_by() -> dict[str, list[str]]:
    """Return the tests that show each requirement, as `file::test`."""
    found: dict[str, list[str]] = {}
    for file in sorted(SUITE.glob("test_*.py")):
        for test, names in _shown(ast.parse(file.read_text())):
            for name in names:
                found.setdefault(name, []).append(f"{file.name}::{test}")
    return found


def _shown(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            calls = [each for each in node.decorator_list if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
            yield (
                node.name,
                [
                    str(argument.value)
                    for call in calls
                    if isinstance(call.func, ast.Name) and call.func.id == "shows"
                    for argument in call.args
                    if isinstance(argument, ast.Constant)
                ],
            )


def _row(requirement: Requirement, tests: list[str]) -> str:
    listed = "<br>".join(f"`{test}`" for test in tests)
    return f"| {requirement.text} | {listed} |\n"
