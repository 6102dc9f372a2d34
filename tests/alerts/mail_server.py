"""A small SMTP server on loopback (RFC 5321, STARTTLS, AUTH PLAIN and CRAM-MD5), which refuses what it is told to refuse."""

import asyncio
import base64
import hmac
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

CHALLENGE = b"<1.2@127.0.0.1>"


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return cast("EmailMessage", message_from_bytes(self.content, policy=default))


@dataclass
class MailServer:
    port: int
    mails: list[Mail] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # the commands of all sessions, without what stood behind them
    refused: dict[str, str] = field(default_factory=dict)  # command, or RCPT and an address → the reply in its place
    drop_after: str | None = None  # the command after which the connection is closed once

    def reply(self, command: str, usual: str) -> str:
        return self.refused.get(command, usual)


class Session:
    def __init__(
        self,
        server: MailServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tls: ssl.SSLContext | None,
        users: dict[str, str],
        mechanisms: str,
        *,
        encrypted: bool,
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.tls, self.users, self.mechanisms, self.encrypted = tls, users, mechanisms, encrypted
        self.user: str | None = None
        self.sender = ""
        self.recipients: list[str] = []

    async def run(self) -> None:
        await self.say("220 here")
        while line := (await self.reader.readline()).decode().strip():
            word, _, rest = line.partition(" ")
            word = word.upper()
            self.server.said.append(word)
            await getattr(self, f"on_{word.lower()}", self.on_unknown)(rest)
            if self.server.drop_after == word:
                self.server.drop_after = None
                return
            if word == "QUIT":
                return

    async def say(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()

    async def on_unknown(self, _: str) -> None:
        await self.say("502 unknown")

    async def on_ehlo(self, _: str) -> None:
        offers = ["8BITMIME"]
        if self.tls is not None and not self.encrypted:
            offers.append("STARTTLS")
        if self.users:
            offers.append(f"AUTH {self.mechanisms}")
        lines = ["here", *offers]
        for line in lines[:-1]:
            await self.say(f"250-{line}")
        await self.say(f"250 {lines[-1]}")

    async def on_starttls(self, _: str) -> None:
        assert self.tls is not None
        await self.say("220 go")
        await self.writer.start_tls(self.tls)
        self.encrypted = True

    async def on_auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "PLAIN":
            _, name, password = base64.b64decode(initial).decode().split("\0")
            right = self.users.get(name) == password
        else:
            await self.say(f"334 {base64.b64encode(CHALLENGE).decode()}")
            answer = base64.b64decode(await self.reader.readline()).decode()
            name, _, digest = answer.partition(" ")
            right = digest == hmac.new(self.users.get(name, "").encode(), CHALLENGE, "md5").hexdigest()
        self.user = name if right else None
        await self.say("235 welcome" if right else "535 wrong")

    async def on_mail(self, rest: str) -> None:
        self.sender, self.recipients = _address(rest), []
        await self.say(self.server.reply("MAIL", "250 ok"))

    async def on_rcpt(self, rest: str) -> None:
        address = _address(rest)
        said = self.server.reply(f"RCPT {address}", "250 ok")
        if said.startswith("250"):
            self.recipients.append(address)
        await self.say(said)

    async def on_data(self, _: str) -> None:
        said = self.server.reply("DATA", "354 go on")
        await self.say(said)
        if not said.startswith("354"):
            return
        lines: list[bytes] = []
        while (line := await self.reader.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        self.server.mails.append(Mail(self.sender, tuple(self.recipients), b"".join(lines), self.encrypted, self.user))
        if self.server.drop_after == "CONTENT":
            self.server.drop_after = "DATA"  # taken, and no answer
            return
        await self.say(self.server.reply("CONTENT", "250 taken"))

    async def on_rset(self, _: str) -> None:
        await self.say("250 ok")

    async def on_quit(self, _: str) -> None:
        await self.say(self.server.reply("QUIT", "221 bye"))


def _address(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]


@contextmanager
def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    users: dict[str, str] | None = None,
    mechanisms: str = "PLAIN",
) -> Iterator[MailServer]:
    """`tls`: STARTTLS is offered, or with `implicit` the first byte is TLS."""
    known = MailServer(port=0)
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(known, reader, writer, None if implicit else tls, users or {}, mechanisms, encrypted=implicit)
        try:
            await session.run()
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the client went away, does not believe the certificate, or the test is over
        finally:
            writer.close()

    async def main() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if implicit else None)
        known.port = server.sockets[0].getsockname()[1]
        loops.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait(10)
    try:
        yield known
    finally:
        [(loop, stop)] = loops
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
