"""Docs are tested: generated pages are current, everything that users can name is documented, links lead somewhere."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from storage.schema import TABLES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "sdk/README.md"])


def test_the_generated_pages_are_current() -> None:
    """`make docs` writes them."""
    from docs.dialects_page import dialects_page
    from docs.generate import cli_page, configuration_page, credentials_page
    from docs.vocabulary_page import vocabulary_page

    assert (DOCS / "configuration.md").read_text() == configuration_page()
    assert (DOCS / "cli.md").read_text() == cli_page()
    assert (DOCS / "redaction-credentials.md").read_text() == credentials_page()
    assert (DOCS / "vocabulary.md").read_text() == vocabulary_page()
    assert (DOCS / "dialects.md").read_text() == dialects_page()


def test_every_configuration_key_says_what_it_means() -> None:
    rows = [line.split(" | ") for line in (DOCS / "configuration.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [key for key, default, meaning in rows if default and not meaning.strip(" |")] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented(table: str) -> None:
    text = (DOCS / "schema.md").read_text()
    missing = [name for name in TABLES[table].names if f"`{name}`" not in text]
    assert missing == []


def test_every_view_is_documented() -> None:
    text = (DOCS / "query.md").read_text()
    views = "spans events metrics steps runs model_calls tool_calls retrievals memory_ops approvals policy_decisions evals tasks queues"
    more = "heartbeats security_events rollouts audit_writes ingest_log redaction_log access_log alert_log"
    assert [view for view in f"{views} {more}".split() if f"`{view}`" not in text] == []


def test_every_alert_of_the_packs_has_a_runbook() -> None:
    runbooks = {path.stem.lower().replace("-", "").replace("_", "") for path in (DOCS / "runbooks").glob("*.md")}
    for pack in (ROOT / "alerts/packs").glob("*.yaml"):
        told = yaml.safe_load(pack.read_text())
        names = [rule["alert"] for group in told.get("groups", ()) for rule in group["rules"] if "alert" in rule]
        names += [slo["alerting"]["name"] for slo in told.get("slos", ())]
        assert names
        assert [name for name in names if name.lower() not in runbooks] == []


def test_the_vocabulary_is_documented() -> None:
    vocabulary = yaml.safe_load((ROOT / "collector/dialects/vocabulary.yaml").read_text())
    text = "\n".join(page.read_text() for page in DOCS.rglob("*.md"))
    missing = [name for part in ("events", "attributes", "metrics") for name in vocabulary[part] if f"`{name}`" not in text]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_docs_exists(page: Path) -> None:
    """`auditlake WORD` inside code must be a command of this version."""
    from cli.main import COMMANDS

    code = re.findall(r"```[a-z]*\n(.*?)```", page.read_text(), re.DOTALL) + re.findall(r"`([^`\n]+)`", page.read_text())
    used = {word for block in code for word in re.findall(r"(?:^|[\s/(|&$])auditlake ([a-z]+)", block)}
    assert used - set(COMMANDS) == set()


def test_make_help_lists_every_command_that_the_docs_use() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {word for page in PAGES for word in re.findall(r"`make ([a-z]+)", page.read_text())}
    assert {"demo", "run", "test", "lint", "bench", "docs", "help", "clean"} <= targets
    assert used - targets - {"soak"} == set()


@cache
def _application() -> Any:
    import typer

    from cli.main import application

    return typer.main.get_command(application())


def _options(line: str) -> tuple[str, set[str]]:
    """Return the command that a line calls, and the options that the line gives it which it does not have."""
    command, name = _application(), "auditlake"
    words = re.split(r"\s(?:#|\||>|&|;|→)", line)[0].replace("[", " ").replace("]", " ").split()[1:]
    while words and (known := getattr(command, "commands", {})) and words[0] in known:
        name, command = f"{name} {words[0]}", known[words.pop(0)]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help", "-h"}
    given = {each for word in words for each in re.findall(r"^--?[a-z][a-z-]*", word)}
    return name, given - options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_in_the_docs_exists(page: Path) -> None:
    """Of every `auditlake …` in code, whether it stands in a block or in a sentence."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL))
    lines = re.findall(r"^(?:\$ )?(auditlake .*)$", blocks, re.MULTILINE) + re.findall(r"`(auditlake [^`\n]+)`", text)
    assert [found for line in lines if (found := _options(line))[1]] == []


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} - linked == set()


def test_every_runbook_is_reached_from_a_page_of_its_subject() -> None:
    text = "".join(page.read_text() for page in (*DOCS.glob("*.md"), ROOT / "README.md"))
    assert [page.name for page in (DOCS / "runbooks").glob("*.md") if f"runbooks/{page.name}" not in text] == []


def test_every_measure_of_the_readme_names_its_command() -> None:
    section = (ROOT / "README.md").read_text().partition("## Measured")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 5
    for row in rows:
        programs = re.findall(r"`python -m (benchmarks[\w.]*)", row[-1])
        assert programs, row
        places = [ROOT / program.replace(".", "/") for program in programs]
        assert all(place.with_suffix(".py").exists() or (place / "__main__.py").exists() for place in places), row
