"""Files of tokens and passwords are read anew when they change; a bad one changes nothing."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.config import Config, parse
from collector.doors import Doors, check
from collector.errors import CollectorError, Unauthenticated
from collector.health import OK
from collector.sender import Sender
from tests.collector.certificates import pair
from tests.polling import wait_until

OLD, NEW = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
SHA1 = {password: base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode() for password in (OLD, NEW)}

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{auth: {{authenticator: bearertokenauth/files}}}}
      http: {{auth: {{authenticator: basicauth}}}}
    limits: {limits}
processors: {{redaction: {{}}}}
exporters: {{parquet: {{}}}}
extensions:
  bearertokenauth/files: {{filename: tokens, reload_interval: 100ms, tokens: [{{name: inline, token: {inline}}}]}}
  basicauth: {{htpasswd: {{file: htpasswd}}, reload_interval: 100ms}}
service:
  extensions: [bearertokenauth/files, basicauth]
  pipelines: {{traces: {{receivers: [otlp], processors: [redaction], exporters: [parquet]}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the configuration."""
    (tmp_path / "tokens").write_text(f"agent-7:acme:{OLD}\n")
    (tmp_path / "htpasswd").write_text(f"alice:{{SHA}}{SHA1[OLD]}\n")
    return tmp_path


def config(folder: Path, *, inline: str = "an-inline-token", limits: str = "{}") -> Config:
    return parse(CONFIG.format(inline=inline, limits=limits), "test.yaml", {}, folder=folder)


async def sender(doors: Doors, token: str) -> Sender | None:
    door = doors.doorkeeper("grpc")
    assert door is not None
    try:
        return await door.sender(f"Bearer {token}")
    except Unauthenticated:
        return None


async def user(doors: Doors, password: str) -> Sender | None:
    door = doors.doorkeeper("http")
    assert door is not None
    try:
        return await door.sender("Basic " + base64.b64encode(f"alice:{password}".encode()).decode())
    except Unauthenticated:
        return None


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition)


def test_files_that_change_are_read_again_and_old_credentials_are_valid_no_longer(folder: Path) -> None:
    async def main() -> None:
        doors = Doors(config(folder))
        watching = asyncio.create_task(doors.watch())
        assert await sender(doors, OLD) == Sender(name="agent-7", tenant="acme")
        assert await user(doors, OLD) == Sender(name="alice")
        with capture_logs() as logged:
            (folder / "tokens").write_text(f"agent-7:acme:{NEW}\n")
            (folder / "htpasswd").write_text(f"alice:{{SHA}}{SHA1[NEW]}\n")
            await until(lambda: sum(line["event"] == "credentials loaded again" for line in logged) == 2)
        assert (await sender(doors, OLD), await user(doors, OLD)) == (None, None)
        assert await sender(doors, NEW) == Sender(name="agent-7", tenant="acme")
        assert await user(doors, NEW) == Sender(name="alice")
        assert await sender(doors, "an-inline-token") == Sender(name="inline")
        watching.cancel()

    asyncio.run(main())


def emptied(tokens: Path) -> None:
    tokens.write_text("")


def removed(tokens: Path) -> None:
    tokens.unlink()


def garbled(tokens: Path) -> None:
    tokens.write_text(f"agent-7:acme:{NEW}\n{NEW}:x\n")


@pytest.mark.parametrize("damage", [emptied, removed, garbled])
def test_a_bad_file_keeps_the_old_tokens_and_says_so_once_without_them(folder: Path, damage: Callable[[Path], None]) -> None:
    async def main() -> None:
        doors = Doors(config(folder))
        watching = asyncio.create_task(doors.watch())
        with capture_logs() as logged:
            damage(folder / "tokens")
            await until(lambda: doors.state() != OK)
            assert await sender(doors, OLD) is not None
            assert await sender(doors, NEW) is None
            state = doors.state()
            (folder / "tokens").write_text(f"agent-7:acme:{NEW}\n")
            await until(lambda: doors.state() == OK)
        assert await sender(doors, NEW) is not None
        assert [line["event"] for line in logged if line["log_level"] == "error"] == [
            "a file could not be read again, what was read before goes on"
        ]
        assert "extensions.bearertokenauth/files" in state
        assert not any(token in state + repr(logged) for token in (OLD, NEW))
        watching.cancel()

    asyncio.run(main())


def test_a_reload_takes_tokens_and_limits_of_the_configuration_over_at_once(folder: Path) -> None:
    async def main() -> None:
        doors = Doors(config(folder))
        (folder / "tokens").write_text(f"agent-7:acme:{NEW}\n")
        use = doors.prepare(config(folder, inline="another-token", limits="{default: {max_request_bytes: 10}}"))
        assert await sender(doors, OLD) is not None, "prepared is not in force"
        use()
        assert (await sender(doors, OLD), await sender(doors, "an-inline-token")) == (None, None)
        assert await sender(doors, NEW) is not None
        assert await sender(doors, "another-token") is not None
        assert doors.quotas.take(Sender(name="x"), 10) == 10

    asyncio.run(main())


def test_a_reload_with_a_bad_file_changes_nothing(folder: Path) -> None:
    async def main() -> None:
        doors = Doors(config(folder))
        (folder / "htpasswd").write_text("nonsense")
        with pytest.raises(CollectorError, match="htpasswd, line 1"):
            doors.prepare(config(folder, inline="another-token"))
        assert await sender(doors, "an-inline-token") is not None
        assert await sender(doors, "another-token") is None

    asyncio.run(main())


def test_every_file_that_cannot_be_used_is_named_with_a_remedy(folder: Path) -> None:
    (folder / "tokens").unlink()
    (folder / "htpasswd").write_text("alice:plain-text")
    (folder / "cert.pem").write_bytes(pair("server").pem)
    text = CONFIG.format(inline="x", limits="{}").replace("basicauth}}", "basicauth}, tls: {cert_file: cert.pem, key_file: gone.key}}", 1)
    problems, warnings = check(parse(text, "test.yaml", {}, folder=folder))
    assert warnings == []
    assert len(problems) == 3
    for problem, file, remedy in zip(
        problems, ("htpasswd", "tokens", "gone.key"), ("htpasswd -B", "create the file", "create it"), strict=True
    ):
        assert str(folder / file) in problem
        assert remedy in problem
        assert "plain-text" not in problem
