"""Senders of the soak of kills: like exporters, each sends a batch until it is acknowledged, wherever the collector is at the moment."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import grpc
import httpx

from collector.signals import LOGS, TRACES, Signal

PAUSE_SECONDS: Final = 0.02
RECORDS: Final = 20
AGAIN: Final = 0.05
"""How many of the acknowledged batches are sent again."""


class Senders:
    """What sends all the time, wherever the collector is at the moment."""

    def __init__(self, seed: str) -> None:
        self.acknowledged: list[str] = []
        self.again = 0
        self._ports: dict[str, int] = {}
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(Random(f"{seed}/{number}"), number, protocol, signal_))
            for number, (protocol, signal_) in enumerate((("http", TRACES), ("http", LOGS), ("grpc", TRACES), ("grpc", LOGS)))
        ]
        for thread in self._threads:
            thread.start()

    def point_at(self, ports: dict[str, int]) -> None:
        """Send there from now on."""
        self._ports = ports

    def stop(self) -> None:
        """Have the batches under way acknowledged, and no further one begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        """Give up: there is nobody to answer any more."""
        self._abandoned.set()
        self.stop()

    def _send(self, chance: Random, sender: int, protocol: str, signal_: Signal) -> None:
        post: Callable[[Signal, bytes], bool] = _Http(self).post if protocol == "http" else _Grpc(self).post
        for number in itertools.count():
            if self._stop.is_set():
                return
            names = [f"{_letters(sender)} {_letters(number)} {_letters(index)}" for index in range(1 + chance.randrange(RECORDS))]
            body = batch(signal_, names)
            self._send_once(post, signal_, body)
            self.acknowledged += names
            if chance.random() < AGAIN:
                self.again += 1
                self._send_once(post, signal_, body)
            time.sleep(PAUSE_SECONDS * chance.random())

    def _send_once(self, post: Callable[[Signal, bytes], bool], signal_: Signal, body: bytes) -> None:
        while not post(signal_, body) and not self._abandoned.is_set():
            time.sleep(0.05)

    def port(self, protocol: str) -> int:
        return self._ports.get(protocol, 1)


class _Http:
    def __init__(self, senders: Senders) -> None:
        self._senders = senders
        self._client = httpx.Client(timeout=10, headers={"content-type": "application/x-protobuf"}, trust_env=False)

    def post(self, signal_: Signal, body: bytes) -> bool:
        try:
            url = f"http://127.0.0.1:{self._senders.port('http')}/v1/{signal_.name}"
            return self._client.post(url, content=body).status_code == 200
        except httpx.HTTPError:
            return False


class _Grpc:
    def __init__(self, senders: Senders) -> None:
        self._senders = senders
        self._port, self._channel = 0, grpc.insecure_channel("127.0.0.1:1")

    def post(self, signal_: Signal, body: bytes) -> bool:
        if self._port != self._senders.port("grpc"):
            self._channel.close()
            self._port = self._senders.port("grpc")
            self._channel = grpc.insecure_channel(f"127.0.0.1:{self._port}")
        try:
            self._channel.unary_unary(f"/{signal_.grpc_service}/Export")(body, timeout=10)
        except grpc.RpcError:
            return False
        return True


def batch(signal_: Signal, names: Sequence[str]) -> bytes:
    """Return a request with a span, or a log record, of each name."""
    message = signal_.request()
    now_ns = time.time_ns()
    for name in names:
        if signal_ is LOGS:
            record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=now_ns, event_name="agent_action")
            record.body.string_value = name
        else:
            spans = message.resource_spans.add().scope_spans.add().spans
            ids = {"trace_id": os.urandom(16), "span_id": os.urandom(8)}
            spans.add(name=name, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1, **ids)
    return bytes(message.SerializeToString())


def _letters(number: int) -> str:
    """Return a number in letters, which no recognizer takes for anything."""
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text = chr(97 + digit) + text
        if not number:
            return text
