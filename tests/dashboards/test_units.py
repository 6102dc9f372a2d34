"""Numbers are written one way everywhere, and unknown is never written as zero."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards import units


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "—"), (0, "0 ms"), (0.42, "420 µs"), (1, "1 ms"), (999.4, "999 ms"), (999.6, "1 s"), (1250, "1.25 s"), (59_949, "59.9 s"),
        (59_960, "1 min 00 s"), (187_000, "3 min 07 s"), (7_500_000, "2 h 05 min"), (273_600_000, "3 d 4 h"),
    ],
)  # fmt: skip
def test_durations_carry_their_unit(milliseconds: float | None, text: str) -> None:
    assert units.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "—"),
        (0, "$0"),
        (0.00000001, "<$0.000001"),
        (0.000137, "$0.000137"),
        (0.0201, "$0.0201"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_a_small_cost_is_not_rounded_to_nothing(usd: float | None, text: str) -> None:
    assert units.cost(usd) == text


def test_a_share_of_nothing_is_unknown_and_extremes_are_not_rounded_away() -> None:
    assert units.share(0, 0) == "—"
    assert units.share(1, 100_000) == "<0.1 %"
    assert units.share(99_999, 100_000) == ">99.9 %"
    assert units.share(1, 8) == "12.5 %"


def test_times_are_given_in_utc_and_in_local_time_where_it_differs() -> None:
    time = datetime(2026, 11, 21, 23, 30, 1, 250_000, tzinfo=UTC).replace(tzinfo=None)
    assert units.moment(time) == "2026-11-21 23:30:01 UTC"
    assert units.moment(time, units.zone("Europe/Berlin")) == "2026-11-21 23:30:01 UTC · 2026-11-22 00:30:01 CET"
    assert units.moment(time, units.zone("UTC"), precise=True) == "2026-11-21 23:30:01.250 UTC"


def test_an_unknown_time_zone_is_no_error() -> None:
    assert units.zone("Mars/Olympus") is None
    assert units.zone("../../etc/passwd") is None


def test_sizes_rates_counts_and_ages() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert units.size(81_000_000) == "77.2 MiB"
    assert units.rate(0.2) == "0.2/s"
    assert units.rate(1234.4) == "1,234/s"
    assert units.count(2_340_000) == "2.34 M"
    assert units.plural(1, "step") == "1 step"
    assert units.plural(2, "entity", "entities") == "2 entities"
    assert units.ago(now - timedelta(seconds=90), now) == "1 min 30 s ago"
    assert units.ago(None, now) == "never"
