"""`receivers` and `alertmanagers` of extensions.alerts: Alertmanager's keys, secrets by environment or file alone, and clear refusals."""

import secrets
from pathlib import Path

import pytest

from alerts.receivers.email import EmailReceiver
from alerts.receivers.pagerduty import PagerDutyReceiver
from alerts.receivers.secret import SecretFile
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.webhook import WebhookReceiver
from cli.alert_receivers import integrations, peers, receiver_problems
from cli.alert_routing import located
from collector.config import DEFAULT, Config, ConfigError, parse

SECRET = secrets.token_hex(8)
ENVIRON = {"SECRET": SECRET, "URL": f"https://hooks.example.com/{SECRET}", "NTFY": f"ntfy://host/{SECRET}"}
EXAMPLE = """\
    receivers:
      - name: on-call
        webhook_configs: [{url: "http://127.0.0.1:9000/a", timeout: 3s, max_alerts: 5}, {url_file: hook, send_resolved: false}]
        slack_configs: [{api_url: "${env:URL}", channel: "#a", http_config: {authorization: {credentials: "${env:SECRET}"}}}]
        pagerduty_configs: [{routing_key: "${env:SECRET}", severity: warning}, {routing_key_file: key}]
        email_configs:
          - to: ann@example.com, ben@example.com
            from: auditlake <a@example.com>
            smarthost: mail.example.com:587
            auth_username: lake
            auth_password: "${env:SECRET}"
            headers: {X-Team: sre}
        apprise_configs: [{url: "${env:NTFY}"}]
      - name: nobody
"""


def configured(receivers: str, *, folder: Path | None = None) -> Config:
    line = next(line for line in DEFAULT.splitlines() if "# receivers: [{name: on-call" in line)
    return parse(DEFAULT.replace(line, receivers.rstrip("\n")), "otel-config.yaml", ENVIRON, folder=folder)


def refusals(receivers: str) -> str:
    with pytest.raises(ConfigError) as caught:
        configured(receivers)
    return str(caught.value)


def one(config: str) -> str:
    return f"    receivers: [{{name: on-call, {config}}}]\n"


def test_every_way_of_a_receiver_is_there_under_a_name_that_stays(tmp_path: Path) -> None:
    section = configured(EXAMPLE, folder=tmp_path).alerts
    assert section is not None
    found = integrations(section)
    assert [(each.name, each.receiver, each.send_resolved, each.acknowledges) for each in found] == [
        ("on-call", "on-call", True, False),
        ("on-call/2", "on-call", False, False),
        ("on-call/slack", "on-call", False, False),
        ("on-call/email", "on-call", False, False),
        ("on-call/pagerduty", "on-call", True, True),
        ("on-call/pagerduty/2", "on-call", True, True),
        ("on-call/apprise", "on-call", False, False),
    ]
    first, second, slack, email, pager, pager_by_file, _ = found
    assert isinstance(first, WebhookReceiver)
    assert (first.url, first.max_alerts, first.http.timeout_seconds) == ("http://127.0.0.1:9000/a", 5, 3.0)
    assert isinstance(second, WebhookReceiver)
    assert second.url == SecretFile(tmp_path / "hook")
    assert isinstance(slack, SlackReceiver)
    assert slack.url == ENVIRON["URL"]
    assert slack.http.authorization is not None
    assert slack.http.authorization.header("x") == f"Bearer {SECRET}"
    assert isinstance(email, EmailReceiver)
    assert (email.smarthost.host, email.smarthost.port, email.smarthost.require_tls) == ("mail.example.com", 587, True)
    assert email.smarthost.login is not None
    assert (email.smarthost.login.username, email.smarthost.login.password) == ("lake", SECRET)
    assert isinstance(pager, PagerDutyReceiver)
    assert (pager.routing_key, pager.severity) == (SECRET, "warning")
    assert isinstance(pager_by_file, PagerDutyReceiver)
    assert pager_by_file.routing_key == SecretFile(tmp_path / "key")


def test_no_secret_is_in_what_a_configuration_or_a_receiver_says_of_itself(tmp_path: Path) -> None:
    section = configured(EXAMPLE, folder=tmp_path).alerts
    assert section is not None
    assert SECRET not in repr(section)
    assert SECRET not in repr(integrations(section))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            "slack_configs: [{api_url: 'https://hooks.slack.com/services/T/B/x'}]",
            "slack_configs[0].api_url: is a secret: write it as ${env:NAME}",
        ),
        ("pagerduty_configs: [{routing_key: abcdef0123}]", "pagerduty_configs[0].routing_key: is a secret"),
        ("apprise_configs: [{url: 'ntfy://host/topic'}]", "apprise_configs[0].url: is a secret"),
        ("webhook_configs: [{url: 'https://token@host/'}]", "webhook_configs[0].url: is a secret"),
        ("webhook_configs: [{}]", "webhook_configs[0]: needs url or url_file, one of them"),
        ("webhook_configs: [{url: 'http://h/', url_file: f}]", "webhook_configs[0]: needs url or url_file, one of them"),
        ("webhook_configs: [{url: 'ftp://h/'}]", "must be a URL that begins with http:// or https://"),
        (
            "webhook_configs: [{url: 'http://h/', http_config: {authorization: {type: Basic, credentials_file: f}}}]",
            "written as basic_auth",
        ),
        ("webhook_config: []", "unknown key 'webhook_config': did you mean 'webhook_configs'?"),
        ("slack_configs: [{api_url_file: f, chanel: x}]", "unknown key 'chanel': did you mean 'channel'?"),
        ("email_configs: [{from: a@x, smarthost: 'm:25'}]", "email_configs[0].to: is required"),
        ("email_configs: [{to: nobody, from: a@x, smarthost: 'm:25'}]", "must be e-mail addresses with commas between them"),
        ("email_configs: [{to: a@x, from: a@x, smarthost: mail}]", "must be host:port, such as mail.example.com:587"),
        ("email_configs: [{to: a@x, from: 'a@x, b@x', smarthost: 'm:25'}]", "from must be one address"),
        ("email_configs: [{to: a@x, from: a@x, smarthost: 'm:25', auth_username: u}]", "needs auth_password or auth_password_file"),
        (
            "email_configs: [{to: a@x, from: a@x, smarthost: 'm:25', auth_username: u, auth_password_file: f, require_tls: false}]",
            "would send the password in the clear",
        ),
        ("email_configs: [{to: a@x, from: a@x, smarthost: 'm:25', headers: {Bcc: b@x}}]", "'Bcc' is no header that can be set here"),
        ("email_configs: [{to: a@x, from: a@x, smarthost: 'm:25', tls_config: {ca_file: /nowhere.pem}}]", "/nowhere.pem is not there"),
        ("pagerduty_configs: [{routing_key_file: f, severity: bad}]", "pagerduty_configs[0].severity: must be 'critical', 'error'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_the_remedy(config: str, said: str) -> None:
    assert said in refusals(one(config))


def test_what_the_environment_gave_is_not_repeated() -> None:
    told = refusals(one('slack_configs: [{api_url: "${env:SECRET}"}]'))
    assert "must be a URL that begins with http" in told
    assert SECRET not in told


def test_receivers_have_names_of_their_own() -> None:
    assert "two receivers are called 'a': rename one" in refusals("    receivers: [{name: a}, {name: a}]\n")


def test_with_alertmanagers_only_they_are_told() -> None:
    config = configured(EXAMPLE + "    alertmanagers: [{url: 'http://am-1:9093'}, {url: 'http://am-2:9093/p', timeout: 2s}]\n")
    section = config.alerts
    assert section is not None
    assert "extensions.alerts: receivers has no effect beside alertmanagers: routing is theirs" in config.warnings
    assert integrations(section) == []
    assert [(peer.name, peer.url, peer.http.timeout_seconds) for peer in peers(section)] == [
        ("alertmanager/1", "http://am-1:9093", 10.0),
        ("alertmanager/2", "http://am-2:9093/p", 2.0),
    ]


@pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")  # one of Apprise's services imports it
def test_what_would_keep_receivers_from_being_told_is_seen_beforehand(tmp_path: Path) -> None:
    """`auditlake validate` looks at files of secrets and at Apprise's URLs, and sends nothing."""
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "empty").write_text("\n")
    config = """\
    receivers:
      - name: on-call
        pagerduty_configs: [{routing_key_file: key}, {routing_key_file: gone}]
        slack_configs: [{api_url_file: empty}]
        webhook_configs: [{url: "http://h/", http_config: {basic_auth: {username: u, password_file: none}}}]
        apprise_configs: [{url: "${env:NTFY}"}, {url: "${env:SECRET}"}]
"""
    path = tmp_path / "otel-config.yaml"
    line = next(line for line in DEFAULT.splitlines() if "# receivers: [{name: on-call" in line)
    path.write_text(DEFAULT.replace(line, config.rstrip("\n")))
    begin = path.read_text().splitlines().index("      - name: on-call")
    section = configured(config, folder=tmp_path).alerts
    assert section is not None
    with pytest.MonkeyPatch.context() as patch:
        for name, text in ENVIRON.items():
            patch.setenv(name, text)
        found = located(receiver_problems(section), path)
    where, told = "extensions.alerts.receivers[0]", "cannot be read or is empty: write the secret into it"
    assert [(problem.line - begin, str(problem).partition(": ")[2]) for problem in found[:-1]] == [
        (4, f"{where}.webhook_configs[0].http_config.basic_auth.password_file: {tmp_path / 'none'} {told}"),
        (3, f"{where}.slack_configs[0].api_url_file: {tmp_path / 'empty'} {told}"),
        (2, f"{where}.pagerduty_configs[1].routing_key_file: {tmp_path / 'gone'} {told}"),
    ]
    assert (found[-1].line - begin, found[-1].path) == (5, f"{where}.apprise_configs[1].url")
    assert "Apprise knows no service for it" in found[-1].message
    assert SECRET not in str(found)


def test_secrets_of_alertmanagers_are_looked_for_too(tmp_path: Path) -> None:
    config = "    alertmanagers: [{url: 'http://am', http_config: {authorization: {credentials_file: gone}}}]\n"
    section = configured(config, folder=tmp_path).alerts
    assert section is not None
    [(path, message)] = receiver_problems(section)
    assert path == ("alertmanagers", 0, "http_config", "authorization", "credentials_file")
    assert message.startswith(str(tmp_path / "gone"))
