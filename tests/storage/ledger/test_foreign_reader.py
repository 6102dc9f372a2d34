"""A log of ours, read by the Go team's library for transparency logs (examples/ledger_reader), which knows nothing of us.

Needs Go and the module in its cache (`go mod download` in the example's folder): nothing is fetched here.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from storage.ledger.note import Checkpoint, SigningKey, signed
from storage.ledger.tile_writer import TileWriter

READER = Path(__file__).parents[3] / "examples" / "ledger_reader"
OFFLINE = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
KEY = SigningKey.from_seed("node/collector", bytes(range(32)))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    program = tmp_path_factory.mktemp("reader") / "reader"
    built = subprocess.run(["go", "build", "-o", program, "."], cwd=READER, env=os.environ | OFFLINE, capture_output=True, text=True)
    if "module lookup disabled" in built.stderr:
        pytest.skip("the module is not in Go's cache: run `go mod download` in examples/ledger_reader")
    assert built.returncode == 0, built.stderr
    return program


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grown in steps, with full and partial tiles at two levels."""
    folder, size, root = tmp_path_factory.mktemp("log"), 0, b""
    for step in (1, 2, 252, 1, 1, 343):
        root = TileWriter(folder).append(size, [b'{"entry":%d}' % number for number in range(size, size + step)])
        size += step
    body = Checkpoint("node/collector", size, root).body()
    (folder / "checkpoint").write_text(signed(body, [KEY.sign(body), KEY.cosign(body, 1)]), encoding="utf-8")
    return folder


def read(reader: Path, folder: Path, key: str = str(KEY.verifier)) -> tuple[int, str]:
    done = subprocess.run([reader, folder, key], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_it_finds_every_entry_in_the_signed_tree(reader: Path, log: Path) -> None:
    assert read(reader, log) == (0, "node/collector: 600 entries are in the tree that the key signed\n")


@pytest.mark.parametrize(
    "name", ["checkpoint", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"]
)
def test_it_refuses_a_log_with_one_flipped_bit(reader: Path, log: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "log"
    shutil.copytree(log, folder)
    data = bytearray((folder / name).read_bytes())
    data[40] ^= 1
    (folder / name).write_bytes(data)
    code, said = read(reader, folder)
    assert code == 1
    assert said.startswith("refused: ")


def test_it_refuses_the_log_of_another_origin_under_this_ones_name(reader: Path, log: Path, tmp_path: Path) -> None:
    """One key signs all logs of a lake: the signature holds under every name, the first line tells whose log it is."""
    folder, other = tmp_path / "log", SigningKey.from_seed("node/access", bytes(range(32)))
    shutil.copytree(log, folder)
    body = (folder / "checkpoint").read_text(encoding="utf-8").partition("\n\n")[0] + "\n"
    (folder / "checkpoint").write_text(signed(body, [other.sign(body)]), encoding="utf-8")
    code, said = read(reader, folder, str(other.verifier))
    assert (code, "of another log" in said) == (1, True)


def test_it_refuses_another_key(reader: Path, log: Path) -> None:
    code, said = read(reader, log, str(SigningKey.from_seed("node/collector", bytes(32)).verifier))
    assert (code, "no verifiable signatures" in said) == (1, True)
