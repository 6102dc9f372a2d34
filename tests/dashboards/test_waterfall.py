"""The waterfall shows every step once, marks errors up to the root, and says what it folds."""

import pytest

from dashboards import waterfall
from dashboards.timeline import Axis, Idle, idle_stretches
from dashboards.waterfall import FOLD_ABOVE, FOLD_SHOWN
from tests.dashboards.steps import step


def test_rows_come_in_tree_order_with_their_depth() -> None:
    steps = [
        step("b", 2, 3, parent="root"),
        step("root", 0, 4, kind="run"),
        step("a", 1, 2, parent="root"),
        step("leaf", 1.2, 1.5, parent="a"),
    ]
    rows = waterfall.build(steps).rows
    assert [(row["id"], row["depth"]) for row in rows] == [("root", 0), ("a", 1), ("leaf", 2), ("b", 1)]


def test_bars_stand_where_their_times_are() -> None:
    rows = waterfall.build([step("root", 0, 4, kind="run"), step("a", 1, 2, parent="root")]).rows
    assert (rows[1]["x"], rows[1]["w"]) == (0.25, 0.25)
    assert rows[1]["took"] == "1 s"


def test_an_error_is_marked_on_every_ancestor() -> None:
    steps = [
        step("root", 0, 4),
        step("a", 1, 3, parent="root"),
        step("bad", 1, 2, parent="a", status="error"),
        step("good", 3, 4, parent="root"),
    ]
    assert [row["id"] for row in waterfall.build(steps).rows if row["troubled"]] == ["root", "a"]


def test_the_critical_path_is_the_chain_that_decided_the_end() -> None:
    steps = [step("root", 0, 10), step("quick", 0, 2, parent="root"), step("slow", 0, 6, parent="root"), step("last", 6, 10, parent="root")]
    assert [row["id"] for row in waterfall.build(steps).rows if row["critical"]] == ["root", "slow", "last"]


def test_many_siblings_fold_visibly_and_never_hide_an_error_or_the_choice() -> None:
    many = [step(f"s{number}", number, number + 1, parent="root", status="error" if number == 700 else "unset") for number in range(900)]
    drawn = waterfall.build([step("root", 0, 900), *many], selected="s800")
    shown = {row["id"] for row in drawn.rows}
    assert {"s700", "s800", "s0"} <= shown
    assert drawn.hidden == 900 - FOLD_SHOWN - 2
    assert next(row["fold"] for row in drawn.rows if row.get("fold")) == drawn.hidden
    assert waterfall.build([step("root", 0, 900), *many], unfold=True).hidden == 0


def test_as_many_siblings_as_the_limit_do_not_fold() -> None:
    many = [step(f"s{number}", number, number + 1, parent="root") for number in range(FOLD_ABOVE)]
    assert waterfall.build([step("root", 0, 900), *many]).folds == 0


def test_orphans_and_circles_are_shown_as_roots() -> None:
    steps = [
        step("orphan", 0, 1, parent="never-came"),
        step("x", 1, 2, parent="y"),
        step("y", 1, 2, parent="x"),
        step("self", 2, 3, parent="self"),
    ]
    rows = waterfall.build(steps).rows
    assert sorted(row["id"] for row in rows) == ["orphan", "self", "x", "y"]
    assert all(row["depth"] == 0 for row in rows)


def test_a_step_without_an_end_reaches_to_the_end_of_the_run() -> None:
    rows = waterfall.build([step("root", 0, None), step("a", 1, 4, parent="root")]).rows
    assert rows[0]["status"] == "running"
    assert rows[0]["w"] == 1.0


def test_events_are_points() -> None:
    rows = waterfall.build(
        [step("root", 0, 4), step("asked", 2, 2, parent="root", kind="approval", source="event", approval_state="requested")]
    ).rows
    assert rows[1]["point"]
    assert rows[1]["marks"] == ["requested"]


def test_no_steps_draw_nothing() -> None:
    assert waterfall.build([]).rows == []


def test_idle_time_folds_to_a_small_part_and_is_labelled() -> None:
    steps = [step("root", 0, 1000, kind="run"), step("a", 0, 5, parent="root"), step("b", 995, 1000, parent="root")]
    plain, folded = waterfall.build(steps), waterfall.build(steps, fold_idle=True)
    assert plain.idle_ms == pytest.approx(990_000)
    assert folded.rows[2]["x"] < 0.6 < plain.rows[2]["x"]
    assert [tick["label"] for tick in folded.ticks if tick["idle"]] == ["16 min 30 s"]


def test_the_axis_never_goes_backwards_and_stays_within_its_width() -> None:
    axis = Axis(total_ms=1000, folded=(Idle(start=100, end=400), Idle(start=500, end=900)))
    places = [axis.at(moment) for moment in range(-10, 1100, 7)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 1.0)


def test_idle_stretches_are_what_no_step_covers() -> None:
    assert idle_stretches([(0, 1000), (500, 2000), (6000, 7000)], 10_000) == (Idle(start=2000, end=6000), Idle(start=7000, end=10_000))
    assert idle_stretches([(0, 10_000)], 10_000) == ()


@pytest.mark.parametrize("total", [0.0, 0.5, 3, 900, 65_000, 86_400_000 * 3])
def test_ticks_are_few_and_in_order_whatever_the_length(total: float) -> None:
    ticks = Axis(total_ms=total).ticks()
    assert len(ticks) <= 13
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
