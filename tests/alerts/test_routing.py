"""The routing tree as it is read: what nodes have from their parents, how they are called, and what is refused and where."""

from datetime import timedelta
from typing import Any

import pytest

from alerts.routing import Route, RoutingError, everything, read_routing

RECEIVERS = ["r", "x", "y"]


def tree(values: dict[str, Any]) -> Route:
    return read_routing(values, receivers=RECEIVERS).route


def test_what_a_node_has_from_its_parents() -> None:
    """The example of `dispatch/route_test.go`, TestRouteMatch."""
    root = tree({
        "receiver": "r",
        "group_by": ["alertname"],
        "group_wait": "1m",
        "routes": [
            {"matchers": ["a=1"], "receiver": "x", "group_interval": "30m"},
            {"matchers": ["a=2"], "group_by": ["..."], "repeat_interval": "1d12h", "routes": [{"matchers": ["b=1"], "group_wait": 0}]},
        ],
    })  # fmt: skip
    one, two = root.routes
    [deep] = two.routes
    hours = timedelta(hours=1)
    assert [(node.receivers, node.group_by, node.group_by_all) for node in root.walk()] == [
        (("r",), {"alertname"}, False),
        (("x",), {"alertname"}, False),
        (("r",), frozenset(), True),
        (("r",), frozenset(), True),
    ]
    assert (root.group_wait, root.group_interval, root.repeat_interval) == (hours / 60, hours / 12, 4 * hours)
    assert (one.group_wait, one.group_interval, one.repeat_interval) == (hours / 60, hours / 2, 4 * hours)
    assert (two.repeat_interval, deep.repeat_interval, deep.group_wait) == (36 * hours, 36 * hours, timedelta())


def test_the_defaults_are_alertmanagers() -> None:
    root = tree({"receiver": "r"})
    assert (root.group_wait, root.group_interval) == (timedelta(seconds=30), timedelta(minutes=5))
    assert (root.repeat_interval, root.group_by, root.goes_on) == (timedelta(hours=4), frozenset(), False)


def test_nodes_have_keys_and_unlike_ids() -> None:
    """`Route.Key` is what groups are called by, `Route.ID` tells siblings with the same matchers apart."""
    twin = {"matchers": ["b!=2", "a=~x"], "receiver": "x"}
    root = tree({"receiver": "r", "routes": [twin, {**twin, "receiver": "y", "routes": [{}]}]})
    assert [node.key for node in root.walk()] == ["{}", '{}/{a=~"x",b!="2"}', '{}/{a=~"x",b!="2"}', '{}/{a=~"x",b!="2"}/{}']
    assert [node.id for node in root.walk()] == ["{}", '{}/{a=~"x",b!="2"}/0', '{}/{a=~"x",b!="2"}/1', '{}/{a=~"x",b!="2"}/{}/0']


@pytest.mark.parametrize(
    ("labels", "key"),
    [({}, "{}:{}"), ({"b": "2", "a": "1"}, '{}:{a="1", b="2"}'), ({"a": 'say "hi"\n'}, '{}:{a="say \\"hi\\"\\n"}')],
)
def test_keys_of_groups_are_alertmanagers(labels: dict[str, str], key: str) -> None:
    assert tree({"receiver": "r"}).group_key(labels) == key


def test_without_a_route_there_is_one_for_everybody() -> None:
    root = everything(RECEIVERS)
    assert (root.key, root.receivers, root.group_by, root.group_wait) == ("{}", ("r", "x", "y"), {"alertname"}, timedelta())
    assert read_routing(None, receivers=RECEIVERS).route == root


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        ({}, ("route",), "the root needs a receiver"),
        ({"receiver": "r", "matchers": ["a=1"]}, ("route", "matchers"), "the root takes every alert"),
        ({"receiver": "r", "continue": True}, ("route", "continue"), "no siblings"),
        ({"receiver": "z"}, ("route", "receiver"), "there is no receiver 'z': known are r, x, y"),
        ({"receiver": "r", "routes": [{}, {"receiver": "z"}]}, ("route", "routes", 1, "receiver"), "there is no receiver 'z'"),
        ({"receiver": "r", "group_by": ["a", "a"]}, ("route", "group_by"), "stands twice"),
        ({"receiver": "r", "group_by": ["a", "..."]}, ("route", "group_by"), "leave the others out"),
        ({"receiver": "r", "group_interval": "0s"}, ("route", "group_interval"), "it cannot be zero"),
        ({"receiver": "r", "repeat_interval": 0}, ("route", "repeat_interval"), "it cannot be zero"),
        ({"receiver": "r", "repeat_interval": "9000y"}, ("route", "repeat_interval"), "it is longer than 36500 days"),
        ({"receiver": "r", "group_wait": "5 minutes"}, ("route", "group_wait"), "not a duration"),
        ({"receiver": "r", "routes": [{"matchers": ["a=1", "b"]}]}, ("route", "routes", 0, "matchers", 1), "write it like severity="),
        ({"receiver": "r", "routes": [{"matchers": ["a=~["]}]}, ("route", "routes", 0, "matchers", 0), "the regular expression of a"),
    ],
)
def test_what_is_refused(values: dict[str, Any], path: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(RoutingError) as caught:
        tree(values)
    [(where, message)] = caught.value.problems
    assert where == path
    assert said in message


def test_all_problems_are_told_together() -> None:
    rules = [{"source_matchers": ["a"]}, {"target_matchers": ["b=1", "c=~["]}]
    with pytest.raises(RoutingError) as caught:
        read_routing({"group_wait": "x", "receiver": "z"}, rules, receivers=RECEIVERS)
    assert sorted(str(path) for path, _ in caught.value.problems) == [
        "('inhibit_rules', 0, 'source_matchers', 0)",
        "('inhibit_rules', 1, 'target_matchers', 1)",
        "('route', 'group_wait')",
        "('route', 'receiver')",
    ]
