"""From the receivers of the configuration to those of the alert process: `extensions.alerts.receivers` and `alertmanagers`.

The first webhook of a receiver has the receiver's own name in the outbox, another one `name/2`; others are called `name/slack`,
`name/slack/2`, and so on. These names are stored: a message waits for its receiver under them.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from alerts.receivers.alertmanager import Peer
    from alerts.receivers.email import Login
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
    from collector.config_source import KeyPath


class Common(TypedDict):
    """What every way of a receiver has: its name in the outbox, its receiver's, and whether it tells what resolved."""

    name: str
    of: str
    send_resolved: bool


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


def names(receiver: "AlertReceiverConfig") -> list[str]:
    """Return what the ways of a receiver are called in the outbox."""
    return [name for name, _, _ in _ways(receiver)]


def _of(receiver: "AlertReceiverConfig") -> "Iterator[Integration]":
    for name, make, config in _ways(receiver):
        yield make(config, Common(name=name, of=receiver.name, send_resolved=config.send_resolved))


def _ways(receiver: "AlertReceiverConfig") -> "Iterator[tuple[str, Callable[[Any, Common], Integration], Any]]":
    """Yield the name, what makes it, and the configuration of each way."""
    for configs, (suffix, make) in _KINDS.items():
        for number, config in enumerate(getattr(receiver, configs), 1):
            yield f"{receiver.name}{suffix}" + (f"/{number}" if number > 1 else ""), make, config


def _webhook(config: "WebhookConfig", common: Common) -> "Integration":
    from alerts.receivers.webhook import WebhookReceiver

    http = _http(config.http_config, config.timeout)
    return WebhookReceiver(**common, url=_secret(config.url, config.url_file), max_alerts=config.max_alerts, http=http)


def _slack(config: "SlackConfig", common: Common) -> "Integration":
    from alerts.receivers.slack import SlackReceiver

    return SlackReceiver(
        **common,
        **_same(config, "channel", "username", "icon_emoji", "icon_url", "link_names"),
        url=_secret(config.api_url, config.api_url_file),
        http=_http(config.http_config, config.timeout),
    )


def _email(config: "EmailConfig", common: Common) -> "Integration":
    from alerts.receivers.email import EmailReceiver, Smarthost

    host, _, port = config.smarthost.rpartition(":")
    smarthost = Smarthost(
        host=host.removeprefix("[").removesuffix("]"),
        port=int(port),
        hello=config.hello,
        login=_login(config),
        require_tls=config.require_tls,
        implicit_tls=config.force_implicit_tls,
        tls=_tls(config.tls_config),
        timeout_seconds=config.timeout,
    )
    return EmailReceiver(**common, to=config.to, sender=config.from_, smarthost=smarthost, headers=config.headers)


def _login(config: "EmailConfig") -> "Login | None":
    from alerts.receivers.email import Login

    if config.auth_username is None:
        return None
    return Login(username=config.auth_username, password=_secret(config.auth_password, config.auth_password_file))


def _pagerduty(config: "PagerdutyConfig", common: Common) -> "Integration":
    from alerts.receivers.pagerduty import PagerDutyReceiver

    return PagerDutyReceiver(
        **common,
        **_same(config, "url", "severity", "client", "client_url"),
        routing_key=_secret(config.routing_key, config.routing_key_file),
        http=_http(config.http_config, config.timeout),
    )


def _apprise(config: "AppriseConfig", common: Common) -> "Integration":
    from alerts.receivers.apprise import AppriseReceiver

    return AppriseReceiver(**common, url=_secret(config.url, config.url_file), timeout_seconds=config.timeout)


_KINDS: "Mapping[str, tuple[str, Callable[[Any, Common], Integration]]]" = {
    "webhook_configs": ("", _webhook),
    "slack_configs": ("/slack", _slack),
    "email_configs": ("/email", _email),
    "pagerduty_configs": ("/pagerduty", _pagerduty),
    "apprise_configs": ("/apprise", _apprise),
}
"""Each list of a receiver: what its ways are called, and what makes one."""


def _same(config: BaseModel, *names: str) -> dict[str, Any]:
    """Return what is called alike in the configuration and in what is made of it."""
    return {name: getattr(config, name) for name in names}


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

    return Tls(**_same(config, "ca_file", "cert_file", "key_file", "insecure_skip_verify", "server_name"))


def _secret(text: SecretStr | None, file: Path | None) -> "Secret":
    """Return the one that is given; the configuration is refused when it gives none or both."""
    from alerts.receivers.secret import SecretFile

    if text is not None:
        return text.get_secret_value()
    assert file is not None  # noqa: S101 - the models see to it
    return SecretFile(file)


def receiver_problems(alerts: "AlertsConfig") -> "list[tuple[KeyPath, str]]":
    """Return what keeps receivers from being told, as far as it can be seen without telling them, each with its place in the section.

    That is files of secrets, and Apprise's URLs.
    """
    files = [*_secret_files(alerts.receivers, ("receivers",)), *_secret_files(alerts.alertmanagers, ("alertmanagers",))]
    unreadable = [(path, file) for path, file in files if not _holds_text(file)]
    problems = [(path, f"{file} cannot be read or is empty: write the secret into it") for path, file in unreadable]
    return [*problems, *_unknown_services(alerts)]


def _secret_files(value: object, path: "KeyPath") -> "Iterator[tuple[KeyPath, Path]]":
    """Yield the files of secrets that a section names, however deep; those of certificates are checked when it is read."""
    if isinstance(value, BaseModel):
        for name, item in value:
            if isinstance(item, Path) and name.endswith("_file") and name not in {"ca_file", "cert_file", "key_file"}:
                yield (*path, name), item
            yield from _secret_files(item, (*path, name))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _secret_files(item, (*path, number))


def _holds_text(file: Path) -> bool:
    try:
        return bool(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _unknown_services(alerts: "AlertsConfig") -> "Iterator[tuple[KeyPath, str]]":
    services = [(place, number, each) for place, found in enumerate(alerts.receivers) for number, each in enumerate(found.apprise_configs)]
    for place, number, config in services:
        from alerts.receivers.apprise import instantiated

        if config.url is not None and instantiated(config.url.get_secret_value()) is None:
            where = ("receivers", place, "apprise_configs", number, "url")
            yield where, "Apprise knows no service for it: see https://github.com/caronc/apprise/wiki"
