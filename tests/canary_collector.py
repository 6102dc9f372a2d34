"""A collector that logs all it can and fails on request: `python -m tests.canary_collector CONFIG DATA`.

A request that holds the word `fault-STAGE` meets an exception in that stage whose message is what was sent, which is how libraries fail.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

STAGES = ("parse", "admit", "redact", "walk", "answer", "submit", "decode")


def prepare(name: str) -> None:
    """Log everything to stderr, and fail on request."""
    from cli.logs import configure_logs
    from tests.collector_main import keep_priority

    configure_logs(name, level=logging.DEBUG)
    keep_priority()
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    inject()


def inject() -> None:
    """Make each stage fail on the requests that say so."""
    import collector.request
    from collector.committer import Committer
    from collector.decode import Decoder
    from collector.redact import Walker
    from collector.walk import Walk
    from redaction.composition import Composition

    collector.request.decode_request = _failing("parse", collector.request.decode_request)
    collector.request.admit = _failing("admit", collector.request.admit)
    Walker.clean = _failing("redact", Walker.clean)  # type: ignore[method-assign]
    Walk._span = _failing("walk", Walk._span)  # type: ignore[method-assign]
    Composition.answer = _failing("answer", Composition.answer)  # type: ignore[method-assign]
    Committer.submit = _failing("submit", Committer.submit)  # type: ignore[method-assign]
    Decoder.add = _failing("decode", Decoder.add)  # type: ignore[method-assign]


def _failing(stage: str, whole: Any) -> Callable[..., Any]:
    word = f"fault-{stage}"

    def wrapped(*arguments: Any, **named: Any) -> Any:
        said = " ".join(map(_said, (*arguments, *named.values())))
        if word in said:
            raise ValueError(said)
        return whole(*arguments, **named)

    return wrapped


def _said(argument: Any) -> str:
    if isinstance(argument, str):
        return argument
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "replace")
    return str(argument) if hasattr(argument, "SerializeToString") else ""


def main() -> None:
    """Run until SIGTERM."""
    from tests import collector_main

    prepare("collector")
    collector_main.log_to_stderr = prepare
    collector_main.main()


if __name__ == "__main__":
    main()
