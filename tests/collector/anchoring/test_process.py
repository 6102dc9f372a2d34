"""Checkpoints leave the host: to every target, on their own, and what goes wrong is said."""

import errno
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.anchoring.board import HANGS_NS, Board, Standing, standings, state
from collector.anchoring.process import TOLD_NS, Teller, anchor, publish_all, run
from collector.anchoring.targets import Target, targets
from collector.config import DEFAULT, parse
from collector.config_ledger import LedgerConfig
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.durable import Disk
from storage.ledger.anchors import Anchor
from storage.ledger.cosigning import newest
from storage.ledger.errors import LedgerError
from storage.ledger.keys import keep_known
from storage.ledger.log import Log
from storage.ledger.log_writer import Ledger
from storage.ledger.stamping import answers
from storage.ledger.witness import Witness
from tests.collector import witness_served
from tests.collector.anchoring.answering import answering
from tests.collector.witness_served import served
from tests.polling import wait_until
from tests.sealed_lake import open_lake
from tests.storage.ledger.time_stamp_authority import Authority
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

CREDENTIALS = ":".join(("name", "word"))


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    made = WrittenLog(tmp_path / "lake")
    keep_known(made.data, [made.signer.verifier])
    return made


witness = witness_served.witness


def config(**fields: Any) -> LedgerConfig:
    return LedgerConfig.model_validate(fields)


def copies(folder: Path) -> list[int]:
    return [each.size for each in Anchor(str(folder)).evidence(ORIGIN)]


def nothing(_standing: Standing) -> None:
    return


class Away:
    """A target that cannot be reached until it is told so; counts attempts."""

    kind, name, interval_seconds = "copy", "away", 0.01

    def __init__(self) -> None:
        self.error: Exception | None = LedgerError("reach it", "away", hint="no route")
        self.attempts = 0

    def publish(self, log: Log, note: str) -> None:
        self.attempts += 1
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        return


def test_all_targets_get_the_newest_checkpoint_and_once_more_at_the_end(tmp_path: Path, log: WrittenLog, witness: Witness) -> None:
    """The process itself, over real sockets: what is sealed between the last round and the stop leaves the host, too."""
    authority, elsewhere = Authority(), tmp_path / "elsewhere"
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    log.grow(3)
    stop = threading.Event()
    with served(witness) as url, answering(lambda body: (200, "application/timestamp-reply", authority.answer(body))) as tsa:
        ledger = config(
            anchors=[{"path": str(elsewhere), "interval": "1h"}],
            witnesses=[{"url": url, "key": str(witness.key), "interval": "1h"}],
            timestamp_authority={"url": tsa, "ca_file": str(tmp_path / "ca.pem")},
        )
        arguments = (log.data, "node", ledger, False, stop, threading.Event())
        thread = threading.Thread(target=anchor, args=arguments)
        thread.start()
        wait_until(lambda: [each.size for each in standings(log.data)] == [3, 3, 3])
        authority.time = "20261121130000Z"
        log.grow(2, time_s=NOW_S + 9)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
    cosigned = newest(log.reader, witness.key)
    assert cosigned is not None
    assert (copies(elsewhere), cosigned.checkpoint.size, len(answers(log.reader))) == ([3, 5], 5, 2)
    assert state(log.data) == "ok"


def test_what_was_published_is_not_published_again_even_after_a_restart(tmp_path: Path, log: WrittenLog) -> None:
    target, board = Away(), Board(log.data)
    target.error = None
    log.grow(3)
    publish_all(log.data, target, board, nothing)
    publish_all(log.data, target, board, nothing)
    publish_all(log.data, target, Board(log.data), nothing)
    assert target.attempts == 1
    log.grow(0, time_s=NOW_S + 60)
    publish_all(log.data, target, board, nothing)
    assert target.attempts == 2, "an idle checkpoint says that nothing happened until then"


def test_a_target_that_is_away_is_tried_again_and_named_meanwhile(log: WrittenLog) -> None:
    target, board, stop = Away(), Board(log.data), threading.Event()
    log.grow(3)
    thread = threading.Thread(target=run, args=(log.data, target, board, nothing, stop))
    thread.start()
    wait_until(lambda: target.attempts > 2)
    assert state(log.data) == "degraded: copy away, node/collector: no route"
    target.error = None
    wait_until(lambda: state(log.data) == "ok")
    stop.set()
    thread.join(10)
    assert [(each.size, each.trouble, each.failing_since_ns) for each in standings(log.data)] == [(3, "", 0)]


def test_a_target_that_neither_takes_nor_refuses_is_named_meanwhile(log: WrittenLog) -> None:
    """A mount whose server is away holds who writes there, for hours."""
    now = [1]
    data = log.data
    board, said = Board(data, clock=lambda: now[0]), list[tuple[int, str]]()

    class Held(Away):
        def publish(self, log: Log, note: str) -> None:
            for passed in (HANGS_NS - 1, 1):
                now[0] += passed
                said.append((len(board.hanging()), state(data)))

    log.grow(1)
    publish_all(log.data, Held(), board, nothing)
    assert [count for count, _ in said] == [0, 1]
    assert (said[0][1], said[1][1].startswith("degraded: copy away, node/collector: it has not answered")) == ("ok", True)
    assert (board.hanging(), state(log.data)) == ([], "ok"), "it took it at last"


def test_a_board_that_cannot_be_written_keeps_no_checkpoint_from_leaving(log: WrittenLog) -> None:
    other = WrittenLog(log.data, "other/collector")
    target, board = Away(), Board(log.data)
    target.error = None
    for each in (log, other):
        each.grow(1)
    (log.data / "ledger" / "anchors.json").mkdir()
    publish_all(log.data, target, board, nothing)
    assert target.attempts == 2


def test_a_defect_in_a_target_does_not_end_it(log: WrittenLog) -> None:
    target, stop = Away(), threading.Event()
    target.error = ZeroDivisionError()
    log.grow(3)
    thread = threading.Thread(target=run, args=(log.data, target, Board(log.data), nothing, stop))
    thread.start()
    wait_until(lambda: target.attempts > 2)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_one_log_that_is_refused_does_not_keep_the_others(tmp_path: Path, log: WrittenLog) -> None:
    other = WrittenLog(log.data, "other/collector")
    keep_known(log.data, [other.signer.verifier])
    other.grow(2)
    log.grow(1)
    (log.reader.folder / "checkpoint").write_text("damaged")
    (target,) = targets(config(anchors=[{"path": str(tmp_path / "elsewhere")}]), log.data)
    publish_all(log.data, target, Board(log.data), nothing)
    assert [each.size for each in Anchor(str(tmp_path / "elsewhere")).evidence("other/collector")] == [2]
    assert state(log.data).startswith(f"degraded: copy {tmp_path / 'elsewhere'}, node/collector: ")


def test_targets_that_are_configured_no_more_are_forgotten(log: WrittenLog) -> None:
    target, board = Away(), Board(log.data)
    log.grow(1)
    publish_all(log.data, target, board, nothing)
    board.keep({("copy", "away")})
    assert state(log.data) != "ok"
    board.keep(set())
    assert state(log.data) == "ok"


def test_a_damaged_board_is_begun_anew(log: WrittenLog) -> None:
    log.grow(1)
    (log.data / "ledger" / "anchors.json").write_text("[{}]")
    assert standings(log.data) == []


def events(data: Path) -> list[dict[str, Any]]:
    """Seal what was written and return the events of anchors, the first first."""
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog, ledger=Ledger(enabled=False))  # the logs of these tests are written by hand
    with open_lake(data) as lake:
        where = "scope_name = 'auditlake.anchors' ORDER BY origin, entry, entry_row"
        return lake.query(f"SELECT event_name, severity_text, attributes FROM events WHERE {where}").to_pylist()


def test_a_witness_that_contradicts_the_log_is_an_event_at_once_and_once(tmp_path: Path, log: WrittenLog, witness: Witness) -> None:
    """Everything is rolled back to an older copy: the witness knows more, and the lake says so."""
    log.grow(2)
    shutil.copytree(log.data, tmp_path / "backup")
    told: list[Standing] = []
    with served(witness) as url:
        ledger = config(witnesses=[{"url": url, "key": str(witness.key)}])
        log.grow(3)
        with closing(targets(ledger, log.data)[0]) as target:
            publish_all(log.data, target, Board(log.data), told.append)
        data = tmp_path / "backup"
        board, teller = Board(data), Teller(data, "node")
        with closing(targets(ledger, data)[0]) as target:
            for _ in range(3):
                publish_all(data, target, board, teller.tell)
    found = events(data)
    assert [(each["event_name"], each["severity_text"]) for each in found] == [("ledger.anchor", "ERROR"), ("security", "ERROR")]
    attributes = dict(found[1]["attributes"])
    assert attributes["auditlake.security.category"] == "integrity"
    assert (attributes["auditlake.resource"], attributes["auditlake.reason_code"]) == ("ledger/node/collector", "rolled_back")
    assert [each.alarm for each in standings(data)] == [True]


def test_a_target_that_is_away_for_minutes_is_an_event_and_its_return_too(log: WrittenLog) -> None:
    now = [0]
    board, teller, target = Board(log.data, clock=lambda: now[0]), Teller(log.data, "node", clock=lambda: now[0]), Away()
    log.grow(1)
    for now_ns in (1, TOLD_NS, TOLD_NS + 1, 2 * TOLD_NS, 3 * TOLD_NS):
        now[0] = now_ns
        if now_ns == 3 * TOLD_NS:
            target.error = None
        publish_all(log.data, target, board, teller.tell)
    found = events(log.data)
    outcomes = [(dict(each["attributes"])["auditlake.outcome"], each["severity_text"]) for each in found]
    assert outcomes == [("failure", "WARN"), ("success", "INFO")]
    assert {each["event_name"] for each in found} == {"ledger.anchor"}


def test_each_place_of_the_configuration_is_a_target(tmp_path: Path, witness: Witness) -> None:
    ledger = config(
        anchors=[{"path": f"s3://{CREDENTIALS}@bucket/audit?region=eu-central-1", "interval": "5m"}],
        witnesses=[{"url": "https://w.example", "key": str(witness.key)}],
        timestamp_authority={"url": f"https://{CREDENTIALS}@tsa.example/rfc3161", "ca_file": str(tmp_path / "ca.pem")},
    )
    found: list[Target] = targets(ledger, tmp_path)
    assert [(each.kind, each.name, each.interval_seconds) for each in found] == [
        ("copy", "s3://bucket/audit", 300.0),
        ("witness", "example.com/w", 60.0),
        ("timestamp", "tsa.example", 3600.0),
    ]
    for each in found:
        each.close()
    assert ledger.leaves_host
    assert not config().leaves_host
    assert not config(enabled=False, anchors=[{"path": "x"}]).leaves_host


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"anchors": [{"path": "ftp://x"}]}, "s3://"),
        ({"anchors": [{"path": ""}]}, "at least 1"),
        ({"witnesses": [{"url": "w.example", "key": "x"}]}, "pattern"),
        ({"witnesses": [{"url": "https://w.example", "key": "x"}]}, "no verifier key"),
        ({"timestamp_authority": {"url": "https://t.example"}}, "ca_file"),
    ],
)
def test_places_that_cannot_be_are_refused_by_the_configuration(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config(**fields)


def test_a_second_location_in_the_data_directory_is_warned_of() -> None:
    places = 'extensions:\n  ledger: {anchors: [{path: "./auditlake-data/copies"}, {path: /mnt/evidence}]}\n'
    warnings = parse(DEFAULT.replace("extensions:\n", places, 1), "test.yaml", {}).warnings
    assert [warning for warning in warnings if "anchors" in warning] == [
        "extensions.ledger.anchors: ./auditlake-data/copies is in the data directory, where who changes the one changes the other"
    ]


class Unsettled(Disk):
    """A disk that cannot make names durable until it is told so."""

    def __init__(self) -> None:
        self.fails = True
        self.synced: list[Path] = []

    def sync_directory(self, path: Path) -> None:
        if self.fails:
            raise OSError(errno.EIO, "input/output error")
        self.synced.append(path)


def test_nobody_learns_of_a_checkpoint_whose_name_a_power_loss_could_take_back(log: WrittenLog, tmp_path: Path) -> None:
    log.grow(3)
    copy, disk, board = tmp_path / "copy", Unsettled(), Board(log.data)
    (target,) = targets(config(anchors=[{"path": str(copy)}]), log.data)
    with closing(target):
        publish_all(log.data, target, board, nothing, disk)
        assert copies(copy) == []
        assert "I/O error" in board.standing(target.kind, target.name, ORIGIN).trouble
        disk.fails = False
        publish_all(log.data, target, board, nothing, disk)
    assert copies(copy) == [3]
    assert disk.synced == [Log(log.data, ORIGIN).folder]
