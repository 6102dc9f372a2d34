"""What works behind the acknowledgement, and who minds it."""

from dataclasses import replace
from pathlib import Path

from collector.config import DEFAULT, parse
from collector.config_retention import RetentionConfig, RetentionRuleConfig
from collector.upkeep import HUNG_SECONDS, Progress, Upkeep


def test_a_sealer_is_stuck_when_the_same_segment_stays_the_oldest_and_not_when_others_follow() -> None:
    """However long the queue is: under load segments wait for minutes, and are sealed one after the other."""
    progress, first, second = Progress(), Path("1.wal"), Path("2.wal")
    assert not progress.is_stuck(first, 0.0)
    assert not progress.is_stuck(first, HUNG_SECONDS - 1)
    assert not progress.is_stuck(second, HUNG_SECONDS)
    assert not progress.is_stuck(second, 2 * HUNG_SECONDS - 1)
    assert progress.is_stuck(second, 2 * HUNG_SECONDS)
    assert not progress.is_stuck(second, 2 * HUNG_SECONDS + 1), "the new process has as long"
    assert progress.is_stuck(second, 3 * HUNG_SECONDS)
    assert not progress.is_stuck(None, 9 * HUNG_SECONDS), "nothing waits"


def test_rules_that_were_read_again_count_from_then_on(tmp_path: Path) -> None:
    """The compactor goes on with them and with the policy's keys, by which holds find people; all else waits for a restart."""
    config = parse(DEFAULT, "test", {})
    upkeep = Upkeep(config, data=tmp_path, prepare=None)
    before = upkeep._compactor._arguments
    upkeep.use(replace(config, parquet=config.parquet.model_copy(update={"compact_interval": 999.0})))
    assert upkeep._compactor._arguments == before
    rules = RetentionConfig(rules=(RetentionRuleConfig(keep="1d"),))
    upkeep.use(replace(config, retention=rules))
    after = upkeep._compactor._arguments
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [rules.retaining(config.redaction.identity_keys)]
    fewer = config.redaction.model_copy(update={"identity_keys": ("user.id",)})
    upkeep.use(replace(config, retention=rules, redaction=fewer))
    assert upkeep._compactor._arguments[3] == rules.retaining(("user.id",))
    upkeep.use(config)
    assert upkeep._compactor._arguments == before
