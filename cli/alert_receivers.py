"""From the receivers of the configuration to those of the alert process: `extensions.alerts.receivers` and `alertmanagers`.

The first webhook of a receiver has the receiver's own name in the outbox, another one `name/2`; others are called `name/slack`,
`name/slack/2`, and so on. These names are stored: a message waits for its receiver under them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from alerts.receivers.alertmanager import Peer
    from alerts.receivers.email import EmailReceiver
    from alerts.receivers.http import Authorization, Http, Tls
    from alerts.receivers.receiver import Integration
    from alerts.receivers.secret import Secret
    from collector.config_alert_receivers import (
        AlertReceiverConfig,
        AppriseConfig,
        EmailConfig,
        HttpClientConfig,
        PagerdutyConfig,
        PeerTlsConfig,
        SlackConfig,
        WebhookConfig,
    )
    from collector.config_model import AlertsConfig


def integrations(alerts: "AlertsConfig") -> "list[Integration]":
    """Return every integration of every receiver, in the order of the configuration; none where Alertmanagers do the routing."""
    return [] if alerts.alertmanagers else [found for receiver in alerts.receivers for found in _of(receiver)]


def peers(alerts: "AlertsConfig") -> "list[Peer]":
    """Return the Alertmanagers."""
    from alerts.receivers.alertmanager import Peer

    return [
        Peer(name=f"alertmanager/{number}", url=peer.url, http=_http(peer.http_config, peer.timeout))
        for number, peer in enumerate(alerts.alertmanagers, 1)
    ]


def _of(receiver: "AlertReceiverConfig") -> "Iterator[Integration]":
    name = receiver.name
    for number, webhook in enumerate(receiver.webhook_configs, 1):
        yield _webhook(webhook, _numbered(name, number), name)
    for number, slack in enumerate(receiver.slack_configs, 1):
        yield _slack(slack, _numbered(f"{name}/slack", number), name)
    for number, email in enumerate(receiver.email_configs, 1):
        yield _email(email, _numbered(f"{name}/email", number), name)
    for number, pagerduty in enumerate(receiver.pagerduty_configs, 1):
        yield _pagerduty(pagerduty, _numbered(f"{name}/pagerduty", number), name)
    for number, apprise in enumerate(receiver.apprise_configs, 1):
        yield _apprise(apprise, _numbered(f"{name}/apprise", number), name)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}/{number}"


def _webhook(config: "WebhookConfig", name: str, receiver: str) -> "Integration":
    from alerts.receivers.webhook import WebhookReceiver

    return WebhookReceiver(
        name=name,
        of=receiver,
        send_resolved=config.send_resolved,
        url=_secret(config.url, config.url_file),
        max_alerts=config.max_alerts,
        http=_http(config.http_config, config.timeout),
    )


def _slack(config: "SlackConfig", name: str, receiver: str) -> "Integration":
    from alerts.receivers.slack import SlackReceiver

    return SlackReceiver(
        name=name,
        of=receiver,
        send_resolved=config.send_resolved,
        url=_secret(config.api_url, config.api_url_file),
        channel=config.channel,
        username=config.username,
        icon_emoji=config.icon_emoji,
        icon_url=config.icon_url,
        link_names=config.link_names,
        http=_http(config.http_config, config.timeout),
    )


def _email(config: "EmailConfig", name: str, receiver: str) -> "EmailReceiver":
    from alerts.receivers.email import EmailReceiver, Login, Smarthost

    host, _, port = config.smarthost.rpartition(":")
    login = None
    if config.auth_username is not None:
        login = Login(username=config.auth_username, password=_secret(config.auth_password, config.auth_password_file))
    smarthost = Smarthost(
        host=host.removeprefix("[").removesuffix("]"),
        port=int(port),
        hello=config.hello,
        login=login,
        require_tls=config.require_tls,
        implicit_tls=config.force_implicit_tls,
        tls=_tls(config.tls_config),
        timeout_seconds=config.timeout,
    )
    return EmailReceiver(
        name=name,
        of=receiver,
        send_resolved=config.send_resolved,
        to=config.to,
        sender=config.from_,
        smarthost=smarthost,
        headers=config.headers,
    )


def _pagerduty(config: "PagerdutyConfig", name: str, receiver: str) -> "Integration":
    from alerts.receivers.pagerduty import PagerDutyReceiver

    return PagerDutyReceiver(
        name=name,
        of=receiver,
        send_resolved=config.send_resolved,
        routing_key=_secret(config.routing_key, config.routing_key_file),
        url=config.url,
        severity=config.severity,
        client=config.client,
        client_url=config.client_url,
        http=_http(config.http_config, config.timeout),
    )


def _apprise(config: "AppriseConfig", name: str, receiver: str) -> "Integration":
    from alerts.receivers.apprise import AppriseReceiver

    return AppriseReceiver(
        name=name,
        of=receiver,
        send_resolved=config.send_resolved,
        url=_secret(config.url, config.url_file),
        timeout_seconds=config.timeout,
    )


def _http(config: "HttpClientConfig", timeout_seconds: float) -> "Http":
    from alerts.receivers.http import Http

    return Http(timeout_seconds=timeout_seconds, tls=_tls(config.tls_config), authorization=_authorization(config))


def _authorization(config: "HttpClientConfig") -> "Authorization | None":
    from alerts.receivers.http import Authorization

    if (basic := config.basic_auth) is not None:
        return Authorization(credentials=_secret(basic.password, basic.password_file), username=basic.username)
    if (given := config.authorization) is not None:
        return Authorization(credentials=_secret(given.credentials, given.credentials_file), scheme=given.type)
    return None


def _tls(config: "PeerTlsConfig") -> "Tls":
    from alerts.receivers.http import Tls

    return Tls(
        ca_file=config.ca_file,
        cert_file=config.cert_file,
        key_file=config.key_file,
        insecure_skip_verify=config.insecure_skip_verify,
        server_name=config.server_name,
    )


def _secret(text: SecretStr | None, file: Path | None) -> "Secret":
    """Return the one that is given; the configuration is refused when it gives none or both."""
    from alerts.receivers.secret import SecretFile

    if text is not None:
        return text.get_secret_value()
    assert file is not None  # noqa: S101 - the models see to it
    return SecretFile(file)


def receiver_problems(alerts: "AlertsConfig") -> list[str]:
    """Return what keeps receivers from being told, as far as it can be seen without telling them: files of secrets, Apprise's URLs."""
    problems = []
    for number, receiver in enumerate(alerts.receivers):
        where = f"extensions.alerts.receivers[{number}]"
        unreadable = [file for file in _secret_files(receiver) if not _holds_text(file)]
        problems += [f"{where}: {file} cannot be read or is empty: write the secret into it" for file in unreadable]
        problems += [f"{where}.{place}" for place in _unknown_services(receiver)]
    return problems


def _secret_files(value: object) -> Iterator[Path]:
    """Yield the files of secrets that a section names, however deep; those of certificates are checked when it is read."""
    if isinstance(value, BaseModel):
        for name, item in value:
            if isinstance(item, Path) and name.endswith("_file") and name not in {"ca_file", "cert_file", "key_file"}:
                yield item
            yield from _secret_files(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _secret_files(item)


def _holds_text(file: Path) -> bool:
    try:
        return bool(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _unknown_services(receiver: "AlertReceiverConfig") -> Iterator[str]:
    for number, config in enumerate(receiver.apprise_configs):
        from alerts.receivers.apprise import instantiated

        if config.url is not None and instantiated(config.url.get_secret_value()) is None:
            yield f"apprise_configs[{number}].url: Apprise knows no service for it: see https://github.com/caronc/apprise/wiki"
