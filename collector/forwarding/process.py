"""The forwarder process: one thread an exporter, which waits for the network most of the time."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Final

import structlog

from collector.config_exporters import OtlpGrpcExporterConfig
from collector.config_forwarding import Forward
from collector.errors import CollectorError
from collector.forwarding.forwarder import STORAGE_SECONDS, Forwarder, Sender
from collector.forwarding.queue import LOCK, exporter_folder
from collector.forwarding.status import Status
from collector.forwarding.told import Told
from collector.status import where
from storage.durable import FileLock
from storage.errors import LakeLocked, StorageError

NICE: Final = 10
"""Below what receives, above what is idle: a busy machine does not keep the queue from getting shorter."""
DEFECT_SECONDS: Final = 30.0
LOCKED_SECONDS: Final = 2.0


def forward(data: Path, node: str, forwards: tuple[Forward, ...], _idle: bool, stop: threading.Event, _wake: threading.Event) -> None:
    """Work off the queues of all exporters until `stop`."""
    os.nice(NICE)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    told = Told(data, node)
    threads = [threading.Thread(target=forward_one, args=(data, each, told, stop), name=each.id) for each in forwards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def forward_one(data: Path, exporter: Forward, told: Told, stop: threading.Event) -> None:
    """Run one exporter, again and again whatever ends it: the others do not suffer, and nothing of its queue is lost."""
    log = structlog.get_logger(__name__).bind(exporter=exporter.id)
    while not stop.is_set():
        try:
            with FileLock(exporter_folder(data, exporter.id) / LOCK, f"forward to {exporter.id}"):
                _open_and_run(data, exporter, told, stop)
        except LakeLocked:  # another collector of this data directory has an exporter of that name, or one is just ending
            stop.wait(LOCKED_SECONDS)
        except CollectorError as error:
            log.error("the exporter cannot work, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint)
            Status(exporter=exporter.id, updated_ns=time.time_ns(), trouble=error.hint).write(exporter_folder(data, exporter.id))
            stop.wait(DEFECT_SECONDS)
        except StorageError as error:
            log.error("forwarding failed, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint)
            stop.wait(STORAGE_SECONDS)
        except OSError as error:
            log.error("forwarding failed, it is tried again", errno=error.errno, where=where(error))
            stop.wait(STORAGE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the boundary of an exporter: a defect in one must not end the others
            log.error("forwarding met a defect, it is tried again", error=type(error).__name__, where=where(error))
            stop.wait(DEFECT_SECONDS)


def _open_and_run(data: Path, exporter: Forward, told: Told, stop: threading.Event) -> None:
    sender = open_sender(exporter)
    try:
        Forwarder(data, exporter, sender, told, stop).run()
    finally:
        sender.close()


def open_sender(exporter: Forward) -> Sender:
    """Return what sends to the backend of an exporter. Raises CollectorError when its certificates cannot be loaded."""
    if isinstance(exporter.config, OtlpGrpcExporterConfig):
        from collector.forwarding.grpc_sender import GrpcSender

        return GrpcSender(exporter.config)
    from collector.forwarding.http_sender import HttpSender

    return HttpSender(exporter.config)
