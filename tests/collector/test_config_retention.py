"""`extensions.retention`: rules as they are written, and mistakes in them."""

import pytest

from collector.config import DEFAULT, Config, ConfigError, parse
from storage.retention_rules import RetentionRule


def configured(section: str, *, enabled: bool = True) -> Config:
    """The built-in configuration with this section."""
    text = DEFAULT.replace("extensions:\n  health_check", f"extensions:\n  retention: {section}\n  health_check")
    return parse(text.replace("[health_check, ", "[retention, health_check, ") if enabled else text, "test.yaml", {})


def test_rules_are_followed_in_their_order() -> None:
    """By a running collector every hour, unless it says otherwise."""
    config = configured("{rules: [{tenant: acme, keep: 400d}, {table: spans, keep: 30d}], backups: [{name: nightly, keep: 35d}]}")
    retaining = config.retention.retaining(("user.id",))
    assert retaining is not None
    day = 86_400.0
    acme, spans = RetentionRule(tenant="acme", keep_seconds=400 * day), RetentionRule(table="spans", keep_seconds=30 * day)
    assert (retaining.rules, retaining.interval_seconds) == ((acme, spans), 3600.0)
    assert [str(rule) for rule in retaining.rules] == ["all tables of acme after 400 days, 0:00:00", "spans after 30 days, 0:00:00"]
    assert [(backup.name, backup.keep) for backup in config.retention.backups] == [("nightly", 35 * day)]


def test_without_rules_nothing_is_removed() -> None:
    """Also where the section is left out."""
    assert configured("{}").retention.retaining(()) is None
    assert parse(DEFAULT, "test.yaml", {}).retention.retaining(()) is None


def test_rules_that_nobody_follows_are_a_warning() -> None:
    """The section is there, and the service does not name it."""
    config = configured("{rules: [{keep: 30d}]}", enabled=False)
    assert [warning for warning in config.warnings if "everything is kept" in warning]
    assert config.retention.retaining(()) is None


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{rules: [{keep: 30d}, {table: spans, keep: 9d}]}", "has no effect"),
        ("{rules: [{table: runs, keep: 30d}]}", "spans"),
        ("{rules: [{keep: 10s}]}", "greater than or equal to 3600"),
        ("{rules: [{keep: 30d, tenants: a}]}", "did you mean 'tenant'"),
    ],
)
def test_mistakes_are_named(section: str, said: str) -> None:
    """A rule that removes nothing, a table that there is not, an age that can only be a slip, a wrong key."""
    with pytest.raises(ConfigError, match=said):
        configured(section)
