"""Label matchers: Alertmanager's grammar and meaning (cases of `matchers/parse/parse_test.go` and `pkg/labels/matcher_test.go`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.matchers import BadMatcher, Matcher, Operator, all_match, as_text, go_quoted, in_order, parse_matchers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "{}"),
        ("{}", "{}"),
        ("  ", "{}"),
        ("foo=bar", '{foo="bar"}'),
        ('foo="bar"', '{foo="bar"}'),
        ('{foo="bar"}', '{foo="bar"}'),
        ('{ foo = "bar" , }', '{foo="bar"}'),
        ("foo=bar,dings!=bums", '{foo="bar",dings!="bums"}'),
        ("foo=bar, dings!=bums,", '{foo="bar",dings!="bums"}'),
        ('{foo=~"bar.*",baz!~"qux.*"}', '{foo=~"bar.*",baz!~"qux.*"}'),
        ("severity=~warning|critical", '{severity=~"warning|critical"}'),
        ('foo=""', '{foo=""}'),
        ("foo=bar-baz.qux:1/2", '{foo="bar-baz.qux:1/2"}'),
        ('"a name"="b"', '{"a name"="b"}'),
        ('"a.b"=c', '{a.b="c"}'),
        ("été=chaud", '{été="chaud"}'),
        ('"🙂"="🙂"', '{🙂="🙂"}'),
        (r'foo="say \"hi\", {you}"', r'{foo="say \"hi\", {you}"}'),
        (r'foo="a\nb"', r'{foo="a\nb"}'),
        (r'foo="a\\b"', r'{foo="a\\b"}'),
        (r'foo="A\x42"', r'{foo="A\\x42"}'),
        (r'"a b"="A\x42é\t"', r'{"a b"="ABé\t"}'),
        (r'"a b"="\xf0\x9f\x99\x82 \303\251"', '{"a b"="🙂 é"}'),
        (r'"foo"="\u00e9\U0001f642"', '{foo="é🙂"}'),
        (r'instance=~"web-\d+"', r'{instance=~"web-\\d+"}'),
        (r"instance=~web-\d+", r'{instance=~"web-\\d+"}'),
        (r"instance=~web-\\d+", r'{instance=~"web-\\d+"}'),
        (r'foo=~".*\bdb\b.*"', r'{foo=~".*\\bdb\\b.*"}'),
    ],
)
def test_what_is_read(text: str, expected: str) -> None:
    assert as_text(parse_matchers(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "foo=",
        "=bar",
        "foo==bar",
        "foo=bar baz=qux",
        "foo=bar,,baz=qux",
        ",foo=bar",
        "{foo=bar",
        "foo=bar}",
        "{",
        "}",
        'foo="bar',
        "foo='bar'",
        'foo="bar"baz',
        "foo!bar",
        '""=bar',
        "foo=~[",
        'foo=~"[[:alpha:]]"',
        'foo=~"a{2,1}"',
        r'foo=~"\pL"',
        r'foo=~"\Qa\E"',
        r'"a b"="\ud800"',
        r'"a b"="\xf0\x9f"',
        r'"a b"="\w"',
        r'"a b"="\400"',
        r"été=a\b",
        r"a\b=c",
        r"a b=c",
        'foo=~"(?u)a"',
        'foo=~"a{99999999999999999999}"',
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(BadMatcher):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("n=bar", "bar", True),
        ("n=bar", "foo-bar", False),
        ("n!=bar", "bar", False),
        ("n!=bar", "foo", True),
        ("n=~bar", "bar", True),
        ("n=~bar", "foo-bar", False),
        ('n=~".*bar"', "foo-bar", True),
        ("n=~a|b", "b", True),
        ("n=~a|b", "ab", False),
        ("n!~bar", "bar", False),
        ("n!~bar", "foo-bar", True),
        ('n=""', "", True),
        ('n!=""', "", False),
        ('n=~".*"', "", True),
        (r"n=~\w+", "ete", True),
        (r"n=~\w+", "été", False),
        (r"n=~\d", "٣", False),
        (r'n=~".*\bdb\b.*"', "the db is down", True),
        (r'n=~".*\bdb\b.*"', "dbs", False),
        (r'n="a\nb"', "a\nb", True),
        ('n=~".+"', "", False),
        ('n!~".+"', "", True),
    ],
)
def test_what_matches(text: str, value: str, matches: bool) -> None:
    """A label that is missing is an empty one."""
    [matcher] = parse_matchers(text)
    assert matcher.matches({"n": value} if value else {}) is matches


def test_no_matchers_match_everything() -> None:
    assert all_match((), {"a": "b"})


def test_the_order_is_by_name_value_and_operator() -> None:
    matchers = parse_matchers(["b=1", "a!~2", "a=~2", "a!=2", "a=2", "a=1"])
    assert as_text(in_order(matchers)) == '{a="1",a="2",a!="2",a=~"2",a!~"2",b="1"}'


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a", '"a"'), ('a"b\\', '"a\\"b\\\\"'), ("é🙂", '"é🙂"'), ("\t\x00\x7f", '"\\t\\x00\\x7f"'), ("\u00a0\u2028", '"\\u00a0\\u2028"')],
)
def test_texts_are_quoted_as_go_does(text: str, quoted: str) -> None:
    assert go_quoted(text) == quoted


@given(name=st.text(min_size=1, max_size=8), value=st.text(max_size=8), operator=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]))
def test_what_is_written_is_read_again(name: str, value: str, operator: Operator) -> None:
    matcher = Matcher(name=name, operator=operator, value=value)
    assert parse_matchers(str(matcher)) == (matcher,)
