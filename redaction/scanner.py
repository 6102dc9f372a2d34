"""The scanner process: Presidio and the rules in an interpreter of their own, fed through a pipe.

It answers one verdict a part of a text, with the CPU time that it took, and nothing else: standard error is closed to it, because
exceptions of recognizers can hold text. It ends when its pipe does, so also when its parent was killed; signals meant for the process
group are left to the parent.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from redaction.budget import expect_budgets
from redaction.errors import RedactionError
from redaction.findings import Finding, Verdict
from redaction.frames import Pipe, PipeLost, PipeTimeout
from redaction.offline import forbid_downloads, forbid_network
from redaction.policy import RedactionConfig
from redaction.presidio.left_out import left_out
from redaction.scan import Scanner

READY: Final = "ready"
FAILED: Final = "failed"
PARENT_CHECK_SECONDS: Final = 2.0
WARM_UP: Final = "warm up: nobody@example.com, 4111 1111 1111 1111, +1 415 555 0132"


def main() -> None:
    """Serve the parent on standard input and output until it goes away."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    expect_budgets()
    answers = os.dup(sys.stdout.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # a stray print must not look like an answer
    forbid_network()
    serve(Pipe(sys.stdin.fileno(), answers), build)


def build(policy: str, cache_folder: str | None) -> tuple[Scanner, bytes]:
    """Return the scanner of a policy (JSON), and its prefilter for the parent."""
    forbid_downloads()
    config = RedactionConfig.model_validate_json(policy)
    with nullcontext() if config.presidio.loads_more else left_out():
        from redaction.presidio.analyzer import Analyzer

    finder = Analyzer(config, cache_folder=None if cache_folder is None else Path(cache_folder))
    finder.find(WARM_UP, ())
    return Scanner(finder, timeout_seconds=config.presidio.timeout_ms / 1000, decodes=config.secrets.encoded), finder.gate.blob


def serve(pipe: Pipe, build_scanner: Callable[[str, str | None], tuple[Scanner, bytes]]) -> None:
    """Answer every part of every batch, one message each, in order."""
    parent = os.getppid()
    try:
        try:
            scanner, gate = build_scanner(*pipe.receive())
        except RedactionError as error:
            pipe.send((FAILED, str(error)))
            return
        except Exception as error:  # noqa: BLE001 - the process boundary: the parent says what failed
            pipe.send((FAILED, type(error).__name__))
            return
        pipe.send((READY, gate))
        while _next_batch(pipe, parent):
            for text, context, whole in pipe.receive():
                begun = time.process_time()
                verdict = scanner.part(text, context, whole=whole)
                pipe.send((encoded(verdict), time.process_time() - begun))
    except (PipeLost, PipeTimeout):
        return


def _next_batch(pipe: Pipe, parent: int) -> bool:
    """Wait for work; False when the parent is gone while a process that it forked still holds the pipe open."""
    while not pipe.readable(PARENT_CHECK_SECONDS):
        if os.getppid() != parent:
            return False
    return True


def encoded(verdict: Verdict) -> object:
    """Return a verdict as plain tuples."""
    if isinstance(verdict, str):
        return verdict
    return tuple((each.start, each.end, each.entity, each.score, each.rule) for each in verdict)


def decoded(message: object) -> tuple[Verdict, float]:
    """Return the verdict that `encoded` wrote, and its CPU seconds. Raises `PipeLost` for anything else."""
    match message:
        case (str() as reason, float() as seconds):
            return reason, seconds
        case (tuple() as found, float() as seconds):
            return tuple(Finding(*each) for each in found), seconds
    raise PipeLost
