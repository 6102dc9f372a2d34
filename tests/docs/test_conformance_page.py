"""docs/conformance.md lists every requirement with its tests, and every test of the suite shows one."""

import ast
from pathlib import Path

from docs.conformance_page import SUITE, conformance_page, shown_by
from tests.conformance.requirements import REQUIREMENTS

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_the_page_is_current() -> None:
    """`make docs` writes it."""
    assert PAGE.read_text() == conformance_page()


def test_every_requirement_has_a_test() -> None:
    assert set(shown_by()) == set(REQUIREMENTS)


def test_every_test_of_the_suite_shows_a_requirement() -> None:
    trees = {file.name: ast.parse(file.read_text()) for file in SUITE.glob("test_*.py")}
    defined = {f"{name}::{node.name}" for name, tree in trees.items() for node in tree.body if isinstance(node, ast.FunctionDef)}
    shown = {test for tests in shown_by().values() for test in tests}
    assert {test for test in defined if "::test_" in test} == shown
