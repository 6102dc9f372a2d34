"""`auditlake dashboard`: what it starts, and how it refuses."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

from cli.commands.dashboard import SCRIPT, command, url

ROOT = Path(__file__).parents[2]


def test_the_server_sends_nothing_anywhere_and_answers_only_to_this_machine() -> None:
    line = command(Path("/lake"), "127.0.0.1", 8501)
    assert "--browser.gatherUsageStats=false" in line
    assert [flag for flag in line if flag.startswith("--server.allowedHosts=")] == [
        "--server.allowedHosts=localhost",
        "--server.allowedHosts=127.0.0.1",
        "--server.allowedHosts=::1",
    ]
    assert line[-2:] == ["--", "/lake"]
    assert command(Path("/lake"), "127.0.0.1", 8501, abandoned_after_seconds=90.0)[-3:] == ["--", "/lake", "90.0"]


def test_a_proxys_name_can_be_allowed() -> None:
    assert "--server.allowedHosts=pages.example.org" in command(Path("/lake"), "127.0.0.1", 8501, allowed_hosts=["pages.example.org"])
    assert not [flag for flag in command(Path("/lake"), "0.0.0.0", 8501) if "allowedHosts" in flag]


def test_the_address_that_is_printed_can_be_opened() -> None:
    assert url("0.0.0.0", 80) == "http://localhost:80"
    assert url("::1", 80) == "http://[::1]:80"
    assert url("10.0.0.7", 80) == "http://10.0.0.7:80"


def test_no_file_beside_the_main_script_is_named_like_a_package() -> None:
    """Streamlit puts the script's folder first on sys.path."""
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert not packages & {path.stem for path in SCRIPT.parent.iterdir()}


def test_only_the_main_script_reads_argv() -> None:
    for path in (ROOT / "dashboards").rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"argv", "environ", "getenv"}, path


def test_a_port_that_is_taken_is_one_line_and_exit_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = [sys.executable, "-m", "cli", "dashboard", "--data", str(tmp_path), "--host", "127.0.0.1", "--port", port]
        ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "Address already in use" in ended.stderr
    assert "--port" in ended.stderr
