"""`auditlake alerts check` and `test`: are the rule files in order, and do they say what they should? Neither needs a lake."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import EXIT_NO, EXIT_USAGE, ConfigOption, fail

if TYPE_CHECKING:
    from alerts.rules import ReadFile

FilesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files of rules or SLOs. Default: those of the configuration.")
]
TestsArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of rule unit tests.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Warnings count: exit 1 when there is one.")]


def check(files: FilesArgument = None, strict: StrictOption = False, config: ConfigOption = None) -> None:
    """Check rule files: grammar, templates, every expression against the views; warn of what on-call will not like. Needs no lake."""
    from alerts.binding import expression_check
    from alerts.errors import RuleFileError
    from alerts.lint import lint
    from alerts.rules import read_rules
    from alerts.slo.objectives import is_objective_file, load_objectives

    refused = False
    read: list[ReadFile] = []
    with expression_check() as check_sql:
        for file in files or configured_files(config):
            try:
                if is_objective_file(file):
                    typer.echo(f"{file}: ok, {_number(len(load_objectives([file], check_sql=check_sql)), 'SLO')}")
                    continue
                found = read_rules(file, check_sql=check_sql)
            except RuleFileError as error:
                refused = True
                for problem in error.problems:
                    typer.echo(problem, err=True)
            else:
                read.append(found)
                typer.echo(f"{file}: ok, {_counted(found)}")
        warnings = lint(read, check_sql)
    for warning in warnings:
        typer.echo(f"{warning.file}:{warning.line}: {warning.path}: warning: {warning.message}", err=True)
    if refused:
        raise typer.Exit(EXIT_USAGE)
    if strict and warnings:
        raise typer.Exit(EXIT_NO)


def test(files: TestsArgument) -> None:
    """Run rule unit tests: what must fire over given records at given times. Exits with 1 when an expectation fails. Needs no lake."""
    from alerts.errors import RuleFileError
    from alerts.slo.replaying import load_all
    from alerts.unit_tests.files import load_tests
    from alerts.unit_tests.running import run_tests

    malformed = failed = False
    for file in files:
        try:
            tests = load_tests(file)
            failures = run_tests(tests, load_all(tests.rule_files))
        except RuleFileError as error:
            malformed = True
            for problem in error.problems:
                typer.echo(problem, err=True)
            continue
        failed = failed or bool(failures)
        for failure in failures:
            typer.echo(failure)
        count = len(tests.model.tests)
        verdict = "FAILED" if failures else "ok"
        typer.echo(f"{file}: {verdict}, {_number(count, 'test')}" + (f", {_number(len(failures), 'failure')}" if failures else ""))
    if malformed:
        raise typer.Exit(EXIT_USAGE)
    if failed:
        raise typer.Exit(EXIT_NO)


def configured_files(config: Path | None) -> Sequence[Path]:
    """Return the files of rules and of SLOs of the configuration; exits with 2 when it enables no alerts."""
    from cli.configuration import load_or_fail, rule_files, slo_files

    loaded = load_or_fail(config)
    files = [*rule_files(loaded, config), *slo_files(loaded, config)]
    if not files:
        fail("the configuration enables no alerts", "name the rule files: auditlake alerts check FILE")
    return files


def _counted(file: "ReadFile") -> str:
    return f"{_number(sum(len(group.rules) for group in file.model.groups), 'rule')} in {_number(len(file.model.groups), 'group')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
