"""YAML as rule files and their tests hold it: anchors and merge keys mean what they mean in Prometheus' files."""

from alerts.documents import read_document


def test_a_merge_key_adds_what_the_mapping_does_not_say() -> None:
    """Of several mappings the first goes before the others, as YAML 1.1 has it."""
    document, problems = read_document("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, x: 3}\nd: {z: 4, <<: [*a, *b]}\n", "f")
    assert problems == []
    assert document.values["c"] == {"x": 3, "y": 1}
    assert document.values["d"] == {"x": 1, "y": 1, "z": 4}
    assert [document.lines["c", "x"], document.problem(("c", "y"), "").line] == [3, 3]


def test_a_merge_key_takes_mappings() -> None:
    _, [problem] = read_document("a: 1\nb: {<<: 7}\n", "f")
    assert (problem.line, problem.message) == (2, "must be a mapping, or a list of mappings")


def test_an_anchor_that_holds_itself_is_refused() -> None:
    _, [problem] = read_document("a: &a {<<: *a}\n", "f")
    assert problem.message.startswith("not valid YAML")
