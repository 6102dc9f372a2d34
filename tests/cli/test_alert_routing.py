"""The alert routing of a configuration: mistakes are told with their lines, whatever is given means what it says."""

from pathlib import Path

import pytest

from cli.alert_routing import recipients, routing
from cli.configuration import load_config
from collector.config import ConfigError
from tests.alerts.configured import configured

ROUTING = """\
    route:
      receiver: on-call
      group_by: [alertname]
      routes:
        - {receiver: chat, matchers: ["severity=~warning|info"], continue: true, group_wait: 0}
    inhibit_rules:
      - {source_matchers: [alertname=A], target_matchers: ["alertname!=A"], equal: [tenant]}
    receivers:
      - {name: on-call, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
      - {name: chat, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
"""


def test_the_tree_is_the_configured_one(tmp_path: Path) -> None:
    found = routing(load_config(configured(tmp_path, ROUTING)))
    [child] = found.route.routes
    assert (found.route.receivers, found.route.group_by) == (("on-call",), {"alertname"})
    assert (child.key, child.goes_on, child.group_wait.total_seconds()) == ('{}/{severity=~"warning|info"}', True, 0)
    [rule] = found.inhibit_rules
    assert (str(rule.source[0]), str(rule.target[0]), rule.equal) == ('alertname="A"', 'alertname!="A"', ("tenant",))


def test_without_a_route_every_receiver_is_told_of_everything(tmp_path: Path) -> None:
    found = routing(load_config(configured(tmp_path, ROUTING[ROUTING.index("    receivers:") :])))
    assert (found.route.receivers, found.route.group_by) == (("on-call", "chat"), {"alertname"})


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("receiver: chat", "receiver: chatt", "route.routes[0].receiver: there is no receiver 'chatt': known are chat, on-call"),
        ("warning|info", "[", "route.routes[0].matchers[0]: the regular expression of severity cannot be used"),
        ("group_wait: 0", "group_wait: soon", "route.routes[0].group_wait: not a duration"),
        ('"alertname!=A"', "alertname", "inhibit_rules[0].target_matchers[0]: not a matcher: write it like severity="),
        ("continue", "continues", "unknown key 'continues'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    before = configured(tmp_path, ROUTING).read_text().splitlines()
    path = configured(tmp_path, ROUTING.replace(wrong, right))
    lines = zip(before, path.read_text().splitlines(), strict=True)
    line = next(number for number, (old, new) in enumerate(lines, 1) if old != new)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    [problem] = caught.value.problems
    assert problem.line == line
    assert said in str(problem)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a/slack", "a"), "receivers[1].name: messages to 'a/slack' are those of receiver 'a/slack' already"),
        (("lake",), "receivers[0].name: messages to 'lake' are auditlake's own already"),
    ],
)
def test_ways_that_could_not_be_told_apart_are_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    ways = "webhook_configs: [{url: 'http://127.0.0.1:1/'}], slack_configs: [{api_url_file: slack}]"
    receivers = "".join(f"      - {{name: {name}, {ways}}}\n" for name in names)
    path = configured(tmp_path, f"    receivers:\n{receivers}")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = path.read_text().splitlines()
    assert all(f"name: {names[-1]}," in lines[problem.line - 1] for problem in caught.value.problems)
    assert said in str(caught.value)


def test_all_mistakes_of_the_section_are_told_together(tmp_path: Path) -> None:
    wrong = ROUTING.replace("name: chat", "name: log").replace("group_wait: 0", "group_wait: soon")
    with pytest.raises(ConfigError) as caught:
        load_config(configured(tmp_path, wrong))
    said = "\n".join(map(str, caught.value.problems))
    assert all(part in said for part in ("auditlake's own", "not a duration", "there is no receiver 'chat'"))


@pytest.mark.parametrize(
    "section",
    [
        "    alertmanagers: [{url: 'http://kim:word@am:9093'}]\n",
        "    external_url: 'https://kim:word@lake.example.com'\n",
        "    receivers: [{name: a, pagerduty_configs: [{routing_key_file: k, url: 'https://kim:word@host/'}]}]\n",
    ],
)
def test_no_password_stands_in_a_plain_address(tmp_path: Path, section: str) -> None:
    with pytest.raises(ConfigError, match="must be a URL without a user and a password") as caught:
        load_config(configured(tmp_path, section))
    assert "word@" not in str(caught.value)


def test_the_recipients_are_those_of_the_configured(tmp_path: Path) -> None:
    found = recipients(load_config(configured(tmp_path, ROUTING + "    external_url: https://lake.example.com\n")))
    assert [receiver.name for receiver in found.receivers] == ["on-call", "chat"]
    assert (found.alertmanagers, found.external_url) == ((), "https://lake.example.com")
    same = recipients(load_config(configured(tmp_path, ROUTING + "    external_url: https://lake.example.com\n")))
    assert found == same, "a configuration that is read again and is the same changes nothing"
    peers = recipients(load_config(configured(tmp_path, "    alertmanagers: [{url: 'http://am:9093'}]\n")))
    assert ([peer.url for peer in peers.alertmanagers], peers.receivers) == (["http://am:9093"], ())
