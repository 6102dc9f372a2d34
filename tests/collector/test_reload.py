"""A policy is replaced between requests, and only by one that works; whatever goes wrong, what runs goes on."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from collector.config import DEFAULT, Config, ConfigError, Problem, parse
from collector.config_retention import RetentionConfig
from collector.errors import CollectorError
from collector.own_events import WithheldEvents, payload, reload_event
from collector.policies import Policies, Policy
from collector.price_file import PriceFile
from collector.reload import Outcome, Reloader
from collector.signals import LOGS
from redaction.policy import RedactionConfig
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaner

CONFIG = parse(DEFAULT, "test", {})


class Named(FakeCleaner):
    """A redactor whose policy has a name."""

    def __init__(self, policy_hash: str) -> None:
        super().__init__()
        self.policy_hash = policy_hash


def test_a_request_finishes_under_the_policy_it_began_with() -> None:
    async def main() -> None:
        old, new = Named("old"), Named("new")
        policies = Policies(fake_policy(old))
        with policies.lease() as first:
            policies.replace(fake_policy(new))
            with policies.lease() as second:
                assert (first.policy_hash, second.policy_hash, policies.current.policy_hash) == ("old", "new", "new")
            await asyncio.sleep(0)
            assert not old.closed, "a request still uses it"
        await asyncio.sleep(0)
        assert (old.closed, new.closed) == (True, False)
        await policies.close()
        assert new.closed

    asyncio.run(main())


def test_a_policy_that_no_request_uses_is_closed_at_once() -> None:
    async def main() -> None:
        old = Named("old")
        policies = Policies(fake_policy(old))
        policies.replace(fake_policy(Named("new")))
        await asyncio.sleep(0)
        assert old.closed

    asyncio.run(main())


def test_closing_closes_policies_that_are_still_leased() -> None:
    async def main() -> None:
        old, new = Named("old"), Named("new")
        policies = Policies(fake_policy(old))
        with policies.lease():
            policies.replace(fake_policy(new))
            await policies.close()
            assert old.closed
            assert new.closed

    asyncio.run(main())


def reloaded(
    load: Callable[[], Config], opened: Callable[[Config], Policy] | None = None, used: list[Config] | None = None
) -> tuple[Outcome, str, str, list[str]]:
    """One reload: its outcome, the state and the policy afterwards, and what was logged; `used` gets what was handed over."""
    behind = [] if used is None else used
    outcomes: list[Outcome] = []
    states: list[str] = []

    async def open_policy(config: Config) -> Policy:
        return fake_policy(Named("new")) if opened is None else opened(config)

    async def main() -> str:
        asked, told = asyncio.Event(), asyncio.Event()
        policies = Policies(fake_policy(Named("old")))

        def tell(outcome: Outcome) -> None:
            outcomes.append(outcome)
            told.set()

        reloader = Reloader(
            CONFIG,
            load=load,
            open_policy=open_policy,
            policies=policies,
            use=behind.append,
            prepare_doors=lambda _config: lambda: None,
            tell=tell,
            asked=asked,
        )
        task = asyncio.create_task(reloader.run())
        asked.set()
        await asyncio.wait_for(told.wait(), 5)
        task.cancel()
        states.append(reloader.state())
        return policies.current.policy_hash

    with capture_logs() as logged:
        in_force = asyncio.run(main())
    return outcomes[0], states[0], in_force, [str(entry) for entry in logged]


def test_another_policy_takes_over() -> None:
    changed = replace(CONFIG, redaction=RedactionConfig(ignored_keys=("x",)))
    outcome, state, in_force, _ = reloaded(lambda: changed)
    assert (outcome, state, in_force) == (Outcome(old_hash="old", new_hash="new"), "ok", "new")


def test_the_same_policy_is_not_started_again() -> None:
    def fail(_config: Config) -> Policy:
        raise AssertionError

    outcome, state, in_force, _ = reloaded(lambda: CONFIG, fail)
    assert (outcome, state, in_force) == (Outcome(old_hash="old", new_hash="old"), "ok", "old")


def test_what_works_behind_is_handed_over_without_another_policy() -> None:
    """Prices, and how long rows are kept."""
    used: list[Config] = []
    prices = PriceFile(b"prices: [{model: m, input: 1}]", "prices.yaml")
    changed = replace(CONFIG, prices=prices, retention=RetentionConfig(interval="1m"))
    outcome, state, in_force, _ = reloaded(lambda: changed, used=used)
    assert (outcome.new_hash, outcome.at_restart, state, in_force, used) == ("old", (), "ok", "old", [changed])


def test_what_needs_a_restart_is_named() -> None:
    changed = replace(CONFIG, parquet=CONFIG.parquet.model_copy(update={"node": "other"}), signals=frozenset({"logs"}))
    outcome, state, _, logged = reloaded(lambda: changed)
    assert outcome.at_restart == ("exporters.parquet", "service.pipelines")
    assert state == "ok"
    assert any("next start" in line and "exporters.parquet" in line for line in logged)


def test_alerts_are_taken_over_by_their_own_process_where_there_is_one() -> None:
    assert CONFIG.alerts is not None
    changed = replace(CONFIG, alerts=CONFIG.alerts.model_copy(update={"external_url": "http://x.test"}))
    assert reloaded(lambda: changed)[0].at_restart == ()
    assert reloaded(lambda: replace(CONFIG, alerts=None))[0].at_restart == ("extensions.alerts",)


def test_an_exporter_that_is_new_waits_for_a_restart() -> None:
    text = DEFAULT.replace("exporters:\n", "exporters:\n  otlp: {endpoint: backend:4317}\n", 1).replace("[parquet]", "[parquet, otlp]")
    outcome, state, _, _ = reloaded(lambda: parse(text, "test", {}))
    assert (outcome.at_restart, state) == (("exporters and filters that forward",), "ok")


def refused_file() -> Config:
    raise ConfigError("file", [Problem(path="a", line=1, message="first"), Problem(path="b", line=2, message="second")])


def test_a_refused_file_keeps_what_runs_and_every_problem_is_logged() -> None:
    used: list[Config] = []
    outcome, state, in_force, logged = reloaded(refused_file, used=used)
    assert (outcome, used) == (Outcome(old_hash="old", new_hash=None, problems=2), [])
    assert state.startswith("failed: 2 problems")
    assert in_force == "old"
    assert any("first" in line and "second" in line for line in logged)


@pytest.mark.parametrize(
    ("error", "said"), [(CollectorError("start", "x", hint="the remedy"), "the remedy"), (ValueError("canary"), "ValueError")]
)
def test_a_policy_that_does_not_start_keeps_what_runs(error: Exception, said: str) -> None:
    """The message of an exception that nobody expected may hold text of the file."""

    def fail(_config: Config) -> Policy:
        raise error

    outcome, state, in_force, logged = reloaded(lambda: replace(CONFIG, redaction=RedactionConfig(ignored_keys=("x",))), fail)
    assert (outcome.new_hash, outcome.problems, in_force) == (None, 1, "old")
    assert state.startswith("failed: 1 problem,")
    assert said in str(logged)
    assert "canary" not in str(logged)


def test_reload_events_say_what_happened_and_nothing_of_the_file() -> None:
    ok = reload_event(Outcome(old_hash="a", new_hash="b", at_restart=("exporters.parquet",)))
    refused = reload_event(Outcome(old_hash="a", new_hash=None, problems=3))
    message = LOGS.request.FromString(payload("node", [ok, refused], 17))
    scope = message.resource_logs[0].scope_logs[0]
    assert scope.scope.name == "auditlake.collector"
    first, second = scope.log_records
    assert (first.event_name, first.time_unix_nano, second.severity_number) == ("config.reload", 17, 13)
    assert {pair.key.removeprefix("auditlake."): pair.value for pair in second.attributes}["outcome"].string_value == "refused"
    assert [pair.key.removeprefix("auditlake.config.") for pair in first.attributes[1:]] == [
        "policy_hash.old",
        "policy_hash.new",
        "at_restart",
    ]


def test_withheld_values_are_told_at_once_then_once_a_minute_with_their_sum() -> None:
    clock = [0.0]
    events = WithheldEvents(clock=lambda: clock[0])
    events.add({"worker": 2})
    assert [event.attributes["auditlake.redaction.values"] for event in events.take()] == [2]
    for clock[0] in (1.0, 30.0, 59.0):
        events.add({"worker": 3})
        assert events.take() == []
    events.add({"timeout": 1})
    assert [event.attributes["auditlake.redaction.reason"] for event in events.take()] == ["timeout"]
    clock[0] = 60.0
    assert [event.attributes["auditlake.redaction.values"] for event in events.take()] == [9]
    events.add({"worker": 1})
    assert [event.attributes["auditlake.redaction.values"] for event in events.take(everything=True)] == [1]
    assert events.take(everything=True) == []
