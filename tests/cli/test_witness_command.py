"""`auditlake witness`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from storage.ledger.cosigning import request
from storage.ledger.note import SigningKey, VerifierKey, opened, signed, split
from tests.command_line import invoked
from tests.polling import wait_until
from tests.storage.ledger.written_log import WrittenLog

ROOT = Path(__file__).parents[2]


def test_its_key_is_made_once_and_printed(tmp_path: Path) -> None:
    first = invoked(tmp_path, "witness", "--name", "example.com/witness", "--show-key")
    key = VerifierKey.parse(first.stdout.strip())
    assert (key.name, key.algorithm) == ("example.com/witness", 4)
    assert invoked(tmp_path, "witness", "--show-key").stdout == first.stdout
    assert (tmp_path / "auditlake-witness" / "witness.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--show-key",), "give the new witness a name"),
        (("--name", "a b", "--show-key"), "names are not empty"),
        (("--name", "example.com/w"), "which logs?"),
        (("--name", "example.com/w", "--logs", "absent.txt"), "No such file"),
        (("--name", "example.com/w", "--log", "nonsense"), "auditlake ledger key"),
        (("--name", "example.com/w", "--log", "{key}", "--listen", "nowhere"), "must be host:port"),
        (("--name", "example.com/w", "--log", "{key}", "--cert-file", "c.pem"), "TLS needs a certificate and its key"),
        (("--name", "example.com/w", "--log", "{key}", "--listen", "0.0.0.0:0"), "--insecure-allow-anonymous"),
        (("--name", "example.com/w", "--log", "{key}", "--token-file", "absent"), "--token-file: absent"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    key = str(SigningKey.from_seed("node/collector", os.urandom(32)).verifier)
    ended = invoked(tmp_path, "witness", *(word.replace("{key}", key) for word in words))
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_name_than_the_first_is_refused(tmp_path: Path) -> None:
    invoked(tmp_path, "witness", "--name", "example.com/w", "--show-key")
    ended = invoked(tmp_path, "witness", "--name", "example.com/other", "--show-key")
    assert (ended.returncode, "example.com/w" in ended.stderr) == (2, True)


def test_the_server_cosigns_learns_logs_at_sighup_and_stops_at_sigterm(tmp_path: Path) -> None:
    one, two = WrittenLog(tmp_path / "one", "one/collector"), WrittenLog(tmp_path / "two", "two/collector")
    logs = tmp_path / "logs.txt"
    logs.write_text(f"{one.signer.verifier}\n")
    errors = tmp_path / "errors.txt"
    words = ["witness", "--name", "example.com/w", "--logs", str(logs), "--listen", "127.0.0.1:0"]
    with errors.open("wb") as target:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=tmp_path, stderr=target, env=environ)
    try:
        wait_until(lambda: b"witness ready" in errors.read_bytes())
        url = next(line["endpoint"] for line in map(json.loads, errors.read_text().splitlines()) if line["event"] == "witness ready")
        body, _ = split(one.grow(3))
        note = one.reader.checkpoint() or ""
        answer = httpx.post(f"http://{url}/add-checkpoint", content=request(0, [], note))
        key = VerifierKey.parse(invoked(tmp_path, "witness", "--show-key").stdout.strip())
        assert opened(signed(body, answer.text.splitlines()), [key]).by == (key,)
        assert httpx.post(f"http://{url}/add-checkpoint", content=request(0, [], two.grow(1))).status_code == 404
        logs.write_text(f"{one.signer.verifier}\n{two.signer.verifier}\n")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: b"knows these logs now" in errors.read_bytes())
        assert httpx.post(f"http://{url}/add-checkpoint", content=request(0, [], two.reader.checkpoint() or "")).status_code == 200
    finally:
        process.terminate()
        assert process.wait(15) == 0
