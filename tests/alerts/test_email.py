"""E-mail over real SMTP on loopback: what a message looks like, how it is encrypted, and which answers of the server may pass."""

import secrets
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from alerts.errors import DeliveryFailed
from alerts.receivers.email import EmailReceiver, Login, Smarthost
from alerts.receivers.http import Tls
from tests.alerts.mail_server import MailServer, mail_server
from tests.alerts.messages import NOON, URL, alert, message
from tests.collector.certificates import pair

PASSWORD = secrets.token_hex(8)
HTML_TAG = "<img src=x onerror=alert(1)>"


ON_CALL = "On call <ann@example.com>, ben@example.com"
USUAL = Tls()


def receiver(
    server: MailServer, *, require_tls: bool = False, implicit_tls: bool | None = None, tls: Tls = USUAL, login: Login | None = None
) -> EmailReceiver:
    smarthost = Smarthost(
        host="127.0.0.1",
        port=server.port,
        require_tls=require_tls,
        implicit_tls=implicit_tls,
        tls=tls,
        login=login,
        timeout_seconds=5.0,
    )
    return EmailReceiver(name="mail", to=ON_CALL, sender="auditlake <alerts@example.com>", smarthost=smarthost, clock=lambda: NOON)


def failure(target: EmailReceiver) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        target.send([message(alert())])
    return caught.value


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the authority that signed its certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = pair("authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair("server", authority).write(folder, "server"))
    return context, authority.write(folder, "ca")[0]


def test_a_message_says_the_same_as_text_and_as_html() -> None:
    told = message(alert(annotations={"runbook": "https://runbooks.test/x"}), alert("billing", resolved=True))
    with mail_server() as server:
        receiver(server).send([told])
    [mail] = server.mails
    assert (mail.sender, mail.recipients) == ("alerts@example.com", ("ann@example.com", "ben@example.com"))
    letter = mail.message
    assert (letter["Subject"], letter["From"]) == ("[FIRING:1] AgentDown (critical)", "auditlake <alerts@example.com>")
    assert (letter["To"], letter["Date"]) == ("On call <ann@example.com>, ben@example.com", "Sat, 21 Nov 2026 12:00:00 +0000")
    assert (letter["Message-ID"], letter["Auto-Submitted"]) == ("<key-1@example.com>", "auto-generated")
    text, html = [cast("EmailMessage", part).get_content() for part in letter.iter_parts()]
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"], "the richest form stands last"
    assert text.splitlines()[:9] == [
        "1 firing",
        "",
        "support is silent",
        "  since 2026-11-21T12:00:00Z",
        "  alertname = AgentDown",
        "  agent_name = support",
        "  run_id = run/support",
        "  severity = critical",
        "  runbook: https://runbooks.test/x",
    ]
    for link in (f"{URL}/run?run=run%2Fsupport", "https://runbooks.test/x", URL):
        assert f'<a href="{link}">' in html
        assert link in text
    assert "1 resolved" in text


def test_messages_of_a_group_are_one_thread() -> None:
    with mail_server() as server:
        receiver(server).send([message(alert(), key="one"), message(alert(resolved=True), key="two")])
    first, second = [mail.message for mail in server.mails]
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


def test_no_text_becomes_markup_or_a_header() -> None:
    evil = alert(f"{HTML_TAG}\r\nBcc: eve@example.com", annotations={"link": 'https://x.test/"onclick="y'})
    with mail_server() as server:
        receiver(server).send([message(evil)])
    [mail] = server.mails
    text, html = [cast("EmailMessage", part).get_content() for part in mail.message.iter_parts()]
    assert HTML_TAG not in html
    assert '"onclick="' not in html
    assert HTML_TAG in text
    assert mail.message["Bcc"] is None
    assert mail.recipients == ("ann@example.com", "ben@example.com")


def test_lines_are_short_enough_for_any_server_and_names_may_be_any() -> None:
    """RFC 5321, section 4.5.3.1.6: a line has 1,000 bytes at most; and not every server takes 8-bit text."""
    with mail_server() as server:
        receiver(server).send([message(alert("größer", annotations={"description": "é" * 3000}))])
    assert max(map(len, server.mails[0].content.splitlines())) <= 998
    assert server.mails[0].content.isascii()
    text = cast("EmailMessage", next(iter(server.mails[0].message.iter_parts()))).get_content()
    assert "größer is silent" in text


def test_headers_of_ones_own() -> None:
    with mail_server() as server:
        target = receiver(server)
        EmailReceiver(
            name="mail", to=target.to, sender=target.sender, smarthost=target.smarthost, headers={"Subject": "wake up", "X-Team": "sre"}
        ).send([message(alert())])
    assert (server.mails[0].message["Subject"], server.mails[0].message["X-Team"]) == ("wake up", "sre")


@pytest.mark.parametrize("implicit", [False, True])
def test_it_is_encrypted_and_the_server_is_recognised(certificates: tuple[ssl.SSLContext, Path], implicit: bool) -> None:
    context, ca_file = certificates
    with mail_server(tls=context, implicit=implicit) as server:
        unknown = receiver(server, require_tls=not implicit, implicit_tls=implicit)
        assert failure(unknown).retryable, "the system does not know this authority"
        receiver(server, require_tls=not implicit, implicit_tls=implicit, tls=Tls(ca_file=ca_file)).send([message(alert())])
    assert [mail.encrypted for mail in server.mails] == [True]


def test_nothing_is_said_in_the_clear_where_encryption_is_required() -> None:
    with mail_server(users={"lake": PASSWORD}) as server:
        error = failure(receiver(server, require_tls=True, login=Login(username="lake", password=PASSWORD)))
    assert (error.reason, error.retryable) == ("the mail server offers no STARTTLS", True)
    assert set(server.said) == {"EHLO"}


@pytest.mark.parametrize("mechanisms", ["PLAIN", "CRAM-MD5"])
def test_who_we_are(mechanisms: str) -> None:
    with mail_server(users={"lake": PASSWORD}, mechanisms=mechanisms) as server:
        receiver(server, login=Login(username="lake", password=PASSWORD)).send([message(alert())])
        wrong = failure(receiver(server, login=Login(username="lake", password="wrong")))
    assert [mail.user for mail in server.mails] == ["lake"]
    assert (wrong.reason, wrong.retryable) == ("SMTP status 535", False)


@pytest.mark.parametrize(
    ("command", "reply", "retryable"),
    [
        ("MAIL", "451 later", True),
        ("MAIL", "550 never", False),
        ("DATA", "452 full", True),
        ("CONTENT", "554 spam", False),
        ("CONTENT", "421 going down", True),
    ],
)
def test_which_answers_may_pass(command: str, reply: str, retryable: bool) -> None:
    with mail_server() as server:
        server.refused[command] = reply
        error = failure(receiver(server))
    assert (error.reason, error.retryable) == (f"SMTP status {reply[:3]}", retryable)


def test_an_address_that_is_refused_for_good_does_not_keep_others_from_theirs() -> None:
    with mail_server() as server:
        server.refused["RCPT ann@example.com"] = "550 unknown"
        receiver(server).send([message(alert())])
        server.refused["RCPT ben@example.com"] = "550 unknown"
        assert not failure(receiver(server)).retryable, "nobody is left"
    assert [mail.recipients for mail in server.mails] == [("ben@example.com",)]


def test_an_address_that_is_refused_for_now_is_tried_again_alone() -> None:
    with mail_server() as server:
        server.refused["RCPT ben@example.com"] = "450 greylisted"
        target = receiver(server)
        assert failure(target).retryable
        server.refused.clear()
        target.send([message(alert())])
        target.send([message(alert(), key="another")])
    assert [mail.recipients for mail in server.mails] == [
        ("ann@example.com",),
        ("ben@example.com",),
        ("ann@example.com", "ben@example.com"),
    ]


def test_a_server_that_hangs_up_may_have_taken_it_and_gets_the_same_message_again() -> None:
    with mail_server() as server:
        server.drop_after = "CONTENT"
        target = receiver(server)
        assert failure(target).retryable
        target.send([message(alert())])
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1
    assert len(server.mails) == 2


def test_what_a_server_says_at_the_end_changes_nothing() -> None:
    with mail_server() as server:
        server.refused["QUIT"] = "421 too late"
        receiver(server).send([message(alert())])
    assert len(server.mails) == 1
