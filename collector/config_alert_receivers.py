"""Who can be told of alerts: `receivers` and `alertmanagers` of extensions.alerts, with the keys of Alertmanager and Prometheus.

Secrets are written as ${env:NAME}, or stand in a file that is read anew for each notification; a secret in the configuration itself is
refused. Texts are not templates here: what a notification says is laid out by auditlake.
"""

from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationInfo, model_validator

from collector.config_admission import BesideFile
from collector.config_fields import Duration, HttpUrl, Section, is_loopback

ENVIRONMENT: Final = "environment"
"""In the context of validation: what the environment gave to the configuration, text → its reference."""
SHORTEST_TOLD: Final = 4
"""Shorter values of the environment are not remembered as such."""
IMPLICIT_TLS_PORT: Final = 465
_HEADERS_OF_OURS: Final = frozenset({"content-type", "content-transfer-encoding", "mime-version", "message-id", "date", "bcc"})


def _from_environment(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    text = secret.get_secret_value()
    given = (info.context or {}).get(ENVIRONMENT)
    if given is not None and len(text) >= SHORTEST_TOLD and not any(value in text for value in given):
        raise ValueError("is a secret: write it as ${env:NAME}, or name a file with the key that ends in _file")
    if not text or not text.isprintable():
        raise ValueError("must be text in one line, and not empty")
    return secret


def _web_address(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://")
    return secret


def _address_without_secret(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    """A plain URL may stand in the file; one with a user or a password is a secret."""
    text = _web_address(secret).get_secret_value()
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("must be a URL such as http://127.0.0.1:9000/hook") from None
    if not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:9000/hook")
    return _from_environment(secret, info) if parts.username is not None or parts.password is not None else secret


def _without_credentials(url: str) -> str:
    """Refuse an address that says who asks: it stands in the file, in messages and in links."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must be a URL without a user and a password: where they are needed, http_config.basic_auth says them")
    return url


def _host_port(text: Any) -> Any:
    host, separator, port = str(text).rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be host:port, such as mail.example.com:587")
    return str(text)


def _mail_addresses(text: str) -> str:
    from email.utils import getaddresses

    addresses = [address for _, address in getaddresses([text])]
    if not text.isprintable() or not addresses or not all(0 < address.find("@") < len(address) - 1 for address in addresses):
        raise ValueError("must be e-mail addresses with commas between them, such as on-call@example.com, sre@example.com")
    return text


def _mail_headers(headers: dict[str, str]) -> dict[str, str]:
    known = [name.lower() for name in headers]
    for name, text in headers.items():
        if not name or not all(33 <= ord(character) < 127 and character != ":" for character in name) or name.lower() in _HEADERS_OF_OURS:
            raise ValueError(f"{name!r} is no header that can be set here")
        if not text.isprintable():
            raise ValueError(f"the value of {name} must be text in one line")
        if known.count(name.lower()) > 1:
            raise ValueError(f"{name} stands twice: keep one of them")
    return headers


Secret = Annotated[SecretStr, AfterValidator(_from_environment)]
SecretUrl = Annotated[SecretStr, AfterValidator(_from_environment), AfterValidator(_web_address)]
PlainUrl = Annotated[HttpUrl, AfterValidator(_without_credentials)]
ReceiverUrl = Annotated[SecretStr, AfterValidator(_address_without_secret)]
MailAddresses = Annotated[str, AfterValidator(_mail_addresses)]
MailHeaders = Annotated[dict[str, str], AfterValidator(_mail_headers)]
Smarthost = Annotated[str, BeforeValidator(_host_port)]


def _one_of(model: BaseModel, *names: str, needed: bool = True) -> None:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) > 1 or (needed and not given):
        raise ValueError(f"needs {' or '.join(names)}{', one of them' if len(names) > 1 else ''}")


def _needs_one_of(*names: str) -> Any:
    """Return the validator of a model that needs one of these keys, and not both."""

    def check(model: BaseModel) -> BaseModel:
        _one_of(model, *names)
        return model

    return model_validator(mode="after")(check)


class PeerTlsConfig(Section):
    ca_file: BesideFile | None = None  # certificates that sign the peer's, PEM; unset: those of the system
    cert_file: BesideFile | None = None  # our certificate, PEM, where the peer asks for one
    key_file: BesideFile | None = None  # its key
    server_name: str | None = None  # the name that the peer's certificate must have, in place of the host
    insecure_skip_verify: bool = False  # encrypt, but believe any certificate

    @model_validator(mode="after")
    def _files(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: name both or none")
        for file in (self.ca_file, self.cert_file, self.key_file):
            if file is not None and not file.is_file():
                raise ValueError(f"{file} is not there: name an existing PEM file")
        return self


class HttpAuthorizationConfig(Section):
    type: str = Field("Bearer", pattern=r"^[A-Za-z0-9-]+$")  # the scheme
    credentials: Secret | None = None  # behind the scheme, as ${env:NAME}
    credentials_file: BesideFile | None = None  # a file that holds them

    @model_validator(mode="after")
    def _given(self) -> Self:
        if self.type.lower() == "basic":
            raise ValueError("type: Basic is written as basic_auth")
        _one_of(self, "credentials", "credentials_file")
        return self


class HttpBasicAuthConfig(Section):
    username: str  # who we are
    password: Secret | None = None  # as ${env:NAME}
    password_file: BesideFile | None = None  # a file that holds it

    _given = _needs_one_of("password", "password_file")


class HttpClientConfig(Section):
    authorization: HttpAuthorizationConfig | None = None  # the header Authorization
    basic_auth: HttpBasicAuthConfig | None = None  # the same, with a name and a password
    tls_config: PeerTlsConfig = PeerTlsConfig()  # how the peer is recognised, where its URL begins with https://

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        _one_of(self, "authorization", "basic_auth", needed=False)
        return self


class WebhookConfig(Section):
    url: ReceiverUrl | None = None  # where notifications are posted, Alertmanager's webhook format; with a password in it: ${env:NAME}
    url_file: BesideFile | None = None  # a file that holds the URL
    send_resolved: bool = True  # also tell when an alert resolves
    max_alerts: int = Field(0, ge=0)  # how many alerts one message holds at most, more are counted; 0: all
    timeout: Duration = Field(10.0, gt=0)  # of one attempt
    http_config: HttpClientConfig = HttpClientConfig()  # how requests are made

    _given = _needs_one_of("url", "url_file")


class SlackConfig(Section):
    api_url: SecretUrl | None = None  # an incoming webhook, as ${env:NAME}; or chat.postMessage, with http_config.authorization
    api_url_file: BesideFile | None = None  # a file that holds it
    send_resolved: bool = False  # also tell when an alert resolves
    channel: str | None = None  # #channel or @user, where the webhook leaves a choice
    username: str | None = None  # the sender's name
    icon_emoji: str | None = None  # the sender's picture, such as :rotating_light:
    icon_url: PlainUrl | None = None  # the same, by its address
    link_names: bool = False  # whether @names and #channels in a message are links
    timeout: Duration = Field(10.0, gt=0)  # of one attempt
    http_config: HttpClientConfig = HttpClientConfig()  # how requests are made

    _given = _needs_one_of("api_url", "api_url_file")


class EmailConfig(Section):
    to: MailAddresses  # who is written to: addresses with commas between them
    from_: MailAddresses = Field(alias="from")  # who writes: one address
    smarthost: Smarthost  # host:port of the mail server
    send_resolved: bool = False  # also tell when an alert resolves
    hello: str | None = None  # our name in EHLO; unset: the host's
    auth_username: str | None = None  # who we are; unset: no authentication
    auth_password: Secret | None = None  # as ${env:NAME}
    auth_password_file: BesideFile | None = None  # a file that holds it
    require_tls: bool = True  # STARTTLS before anything is said
    force_implicit_tls: bool | None = None  # TLS from the first byte; unset: on port 465 alone
    tls_config: PeerTlsConfig = PeerTlsConfig()  # how the mail server is recognised
    headers: MailHeaders = Field(default_factory=dict)  # more headers, or others in the place of Subject, To, From
    timeout: Duration = Field(30.0, gt=0)  # of one attempt

    @model_validator(mode="after")
    def _login(self) -> Self:
        _one_of(self, "auth_password", "auth_password_file", needed=self.auth_username is not None)
        if self.auth_username is None and (self.auth_password or self.auth_password_file):
            raise ValueError("auth_password without auth_username: name both or none")
        implicit = self.smarthost.endswith(f":{IMPLICIT_TLS_PORT}") if self.force_implicit_tls is None else self.force_implicit_tls
        if self.auth_username and not (self.require_tls or implicit or is_loopback(self.smarthost)):
            raise ValueError("require_tls: false would send the password in the clear: leave it out, or authenticate nobody")
        if self.from_.count("@") > 1:
            raise ValueError("from must be one address")
        return self


class PagerdutyConfig(Section):
    routing_key: Secret | None = None  # integration key of a service (Events API v2), as ${env:NAME}
    routing_key_file: BesideFile | None = None  # a file that holds it
    # where events are posted; the EU's: https://events.eu.pagerduty.com/v2/enqueue
    url: PlainUrl = "https://events.pagerduty.com/v2/enqueue"
    send_resolved: bool = True  # also tell when a group resolves, which ends its incident
    severity: Literal["critical", "error", "warning", "info"] | None = None  # of incidents; unset: the alerts' label, else error
    client: str = "auditlake"  # who says so
    client_url: PlainUrl | None = None  # the page behind that name; unset: external_url
    timeout: Duration = Field(10.0, gt=0)  # of one attempt
    http_config: HttpClientConfig = HttpClientConfig()  # how requests are made

    _given = _needs_one_of("routing_key", "routing_key_file")


class AppriseConfig(Section):
    url: Secret | None = None  # of a service that Apprise knows, as ${env:NAME}: such as ntfy://host/topic or discord://id/token
    url_file: BesideFile | None = None  # a file that holds it
    send_resolved: bool = False  # also tell when an alert resolves
    timeout: Duration = Field(30.0, gt=0)  # of one attempt

    _given = _needs_one_of("url", "url_file")


class AlertReceiverConfig(Section):
    name: str = Field(min_length=1)  # name of the receiver, which routes say; without any list it takes alerts and tells nobody
    webhook_configs: tuple[WebhookConfig, ...] = ()  # webhooks, Alertmanager's message
    slack_configs: tuple[SlackConfig, ...] = ()  # Slack, by incoming webhook or chat.postMessage
    email_configs: tuple[EmailConfig, ...] = ()  # e-mail, by SMTP
    pagerduty_configs: tuple[PagerdutyConfig, ...] = ()  # PagerDuty, Events API v2
    apprise_configs: tuple[AppriseConfig, ...] = ()  # any service that Apprise knows


class AlertmanagerConfig(Section):
    url: PlainUrl  # base URL of one Alertmanager; /api/v2/alerts is put behind it
    timeout: Duration = Field(10.0, gt=0)  # of one request
    http_config: HttpClientConfig = HttpClientConfig()  # how requests are made


def unique_names(receivers: tuple[AlertReceiverConfig, ...]) -> tuple[AlertReceiverConfig, ...]:
    """Return receivers with names of their own; raises ValueError when two have the same."""
    names = [receiver.name for receiver in receivers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two receivers are called {name!r}: rename one")
    return receivers


AlertReceivers = Annotated[tuple[AlertReceiverConfig, ...], AfterValidator(unique_names)]
