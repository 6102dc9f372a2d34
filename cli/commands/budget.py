"""`auditlake budget …`: limit what users, agents and tenants may spend, and see how they stand. Each change stands in `access_log`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.budgets.answers import Answers
    from alerts.budgets.model import Budget, Scope
    from alerts.budgets.standing import Standing
    from alerts.budgets.store import BudgetStore
    from cli.access import AccessLog
    from collector.config import Config
    from storage.lake import Lake

FRESH: Final = timedelta(minutes=5)
"""What an alert process counted so lately is shown as it is; else the command counts."""
PERIODS: Final = ("day", "week", "month")
UNITS: Final = ("usd", "tokens")

ScopeArgument = Annotated[
    str, typer.Argument(metavar="SCOPE", help='agent:NAME, user:NAME (- reads it from a line of input) or tenant:NAME; "*" means each.')
]
TenantOption = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Of a user or an agent: only what they spend in it.")]
BehalfOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="For whom; stands in access_log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    budget = typer.Typer(help="What users, agents and tenants may spend, and have spent.", no_args_is_help=True)
    for name, command in (("set", set_budget), ("list", list_budgets), ("status", status), ("remove", remove)):
        budget.command(name)(command)
    app.add_typer(budget, name="budget")


def set_budget(
    scope: ScopeArgument,
    usd: Annotated[float | None, typer.Option("--usd", metavar="AMOUNT", help="Limit in US dollars.")] = None,
    tokens: Annotated[float | None, typer.Option("--tokens", metavar="COUNT", help="Limit in tokens, input and output.")] = None,
    period: Annotated[str, typer.Option("--period", metavar="PERIOD", help="day, week (from Monday on) or month; UTC.")] = "month",
    tenant: TenantOption = None,
    rungs: Annotated[
        list[float] | None, typer.Option("--rung", metavar="SHARE", help="Share of the limit to tell; may be given several times.")
    ] = None,
    forecast: Annotated[bool, typer.Option("--forecast/--no-forecast", help="Also tell when spending is on the way beyond it.")] = True,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Limit what somebody may spend in a period. A limit of the same scope, period and unit is replaced; it goes before that of a file."""
    from alerts.budgets.model import RUNGS, Budget, Period, Unit, checked_limit, checked_rungs
    from alerts.budgets.store import COMMAND, BudgetStore
    from cli.access import STATEMENT, owned

    if usd is None and tokens is None:
        fail("how much?", "give --usd AMOUNT or --tokens COUNT, or both")
    directory = _directory(data, config)
    log = _log(config, directory, on_behalf_of)
    try:
        whose = _scope(scope, tenant, log)
        limits = {unit: checked_limit(limit) for unit, limit in ((Unit.USD, usd), (Unit.TOKENS, tokens)) if limit is not None}
        shares = checked_rungs(tuple(rungs)) if rungs else RUNGS
    except ValueError as error:
        fail(f"not a budget: {error}", "for example: auditlake budget set agent:support --usd 100")
    lasts = Period(_one_of(period, PERIODS, "--period"))
    when = datetime.now(UTC)
    budgets = [
        Budget(
            scope=whose,
            period=lasts,
            unit=unit,
            limit=limit,
            rungs=shares,
            forecast=forecast,
            source=COMMAND,
            set_by=log.actor,
            set_at=when,
        )
        for unit, limit in limits.items()
    ]
    for budget in budgets:
        said: dict[str, Any] = {"resource": f"budget/{whose}", "more": {STATEMENT: _statement(budget)}}
        log.record("budget.set", outcome="requested", **said)
        with owned(directory, "."), closing(BudgetStore.open(directory)) as store:
            store.set(budget)
        log.record("budget.set", outcome="success", **said)
        typer.echo(f"set: {whose}{_in(whose)} {budget.text}", err=True)
    log.seal()


def list_budgets(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """List all budgets: whose, how much, where each was set. Of two of the same scope, period and unit the command's counts."""
    from alerts.budgets.model import in_force

    with _opened(data, config, writes=False) as (store, loaded, directory):
        budgets = _budgets(store, loaded, config, directory)
        counting = {id(budget) for budget in in_force(budgets)}
        print_rows([_listed(budget, counts=id(budget) in counting) for budget in budgets], output)


def status(
    scope: Annotated[str | None, typer.Argument(metavar="[SCOPE]", help="Only agent:NAME, user:NAME or tenant:NAME.")] = None,
    tenant: TenantOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Show how budgets stand in their periods; with a SCOPE, exit with 1 when one of its budgets is used up."""
    from cli.reading import filters, reading

    directory = _directory(data, config)
    asked = None
    if scope is not None:
        try:
            asked = _scope(scope, tenant, _log(config, directory, None))
        except ValueError as error:
            fail(f"not a scope: {error}", "for example: auditlake budget status agent:support")
    with reading(
        directory, "budget.status", resource="budgets", statement=filters(scope=str(asked) if asked else None, tenant=tenant)
    ) as read:
        with _opened(data, config, writes=True) as (store, loaded, _):
            answers = _answers(read.lake, store, _budgets(store, loaded, config, directory))
        found = answers.standings if asked is None else answers.of(asked, (asked.subject,))
        read.shown(len(found))
        print_rows([_standing(each) for each in found], output, columns=_SHOWN)
    if asked is not None and not found:
        fail(f"there is no budget of {asked}{_in(asked)}", "auditlake budget list names those that there are", code=EXIT_NO)
    if asked is not None and any(each.remaining <= 0 for each in found):
        raise typer.Exit(EXIT_NO)


def remove(
    scope: ScopeArgument,
    period: Annotated[str | None, typer.Option("--period", metavar="PERIOD", help="Only of days, weeks or months.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="Only in usd or tokens.")] = None,
    tenant: TenantOption = None,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove limits that were set by command; those of files stand, and count again."""
    from alerts.budgets.model import Period, Unit
    from alerts.budgets.store import BudgetStore
    from cli.access import owned

    directory = _directory(data, config)
    log = _log(config, directory, on_behalf_of)
    try:
        whose = _scope(scope, tenant, log)
    except ValueError as error:
        fail(f"not a scope: {error}", "for example: auditlake budget remove agent:support")
    periods = [_one_of(period, PERIODS, "--period")] if period else PERIODS
    units = [_one_of(unit, UNITS, "--unit")] if unit else UNITS
    log.record("budget.remove", outcome="requested", resource=f"budget/{whose}")
    with owned(directory, "."), closing(BudgetStore.open(directory)) as store:
        found = [store.remove(whose, Period(each), Unit(other)) for each in periods for other in units]
    log.record("budget.remove", outcome="success" if any(found) else "failure", resource=f"budget/{whose}")
    log.seal()
    if not any(found):
        fail(f"no budget of {whose}{_in(whose)} was set by command", "auditlake budget list says where each was set", code=EXIT_NO)
    typer.echo(f"removed: {sum(found)} of {whose}{_in(whose)}", err=True)


@contextmanager
def _opened(data: Path | None, config: Path | None, *, writes: bool) -> "Iterator[tuple[BudgetStore, Config, Path]]":
    """Open what is kept of budgets; a lake without alerts has nothing."""
    from alerts.budgets.store import BudgetStore
    from cli.access import owned
    from cli.configuration import load_or_fail

    directory = _directory(data, config)
    if writes or not (directory / "alerts.sqlite").exists():
        with owned(directory, "."):
            BudgetStore.open(directory).close()
    with closing(BudgetStore.open(directory, read_only=not writes)) as store:
        yield store, load_or_fail(config), directory


def _budgets(store: "BudgetStore", loaded: "Config", config: Path | None, directory: Path) -> "list[Budget]":
    """Return the budgets of the configured files, as they are now, and those that were set by command."""
    from alerts.budgets.file import load_budgets
    from alerts.budgets.store import COMMAND
    from cli.configuration import budget_files

    logs: list[AccessLog] = []  # opened for the first user's name, if there is one

    def stored_name(name: str) -> str:
        if not logs:
            logs.append(_log(config, directory, None))
        return _stored_name(name, logs[0])

    of_files = load_budgets(budget_files(loaded, config), stored_name=stored_name)
    by_command = [] if store.is_empty() else [budget for budget in store.budgets() if budget.source == COMMAND]
    return [*of_files, *by_command]


def _answers(lake: "Lake", store: "BudgetStore", budgets: "Sequence[Budget]") -> "Answers":
    """Return how budgets stand: as the alert process counted it lately, else as it is counted now."""
    from alerts.budgets.answers import Answers
    from alerts.budgets.model import in_force
    from alerts.budgets.spending import Accountant
    from alerts.errors import Outdated
    from alerts.watermark import evaluation_time, ingest_watermark

    now = datetime.now(UTC)
    accountant, counted, wanted = Accountant(lake, store), store.counted(), in_force(budgets)
    if wanted and (counted is None or now - counted.as_of > FRESH or not accountant.covers(wanted, at=now)):
        as_of = evaluation_time(now, timedelta(), ingest_watermark(lake.data)).astimezone(UTC)
        try:
            while not accountant.refresh(wanted, as_of=as_of):
                continue
        except Outdated:
            fail("somebody was erased while this was counted", "give the command again")
        return Answers(wanted, accountant.ledger, as_of=as_of)
    return Answers(wanted, accountant.ledger, as_of=now if counted is None else counted.as_of)


def _directory(data: Path | None, config: Path | None) -> Path:
    directory = data_directory(data, config)
    if not (directory / "catalog.sqlite").exists():
        fail(f"there is no lake in {directory}", "start the collector, or pass the right --data directory")
    return directory


def _log(config: Path | None, directory: Path, on_behalf_of: str | None) -> "AccessLog":
    from cli.access import AccessLog
    from cli.configuration import load_or_fail

    return AccessLog(load_or_fail(config), directory, on_behalf_of=on_behalf_of)


def _scope(text: str, tenant: str | None, log: "AccessLog") -> "Scope":
    """Return the scope, with a user's name as rows have it; raises ValueError."""
    from alerts.budgets.model import ALL_TENANTS, EACH, Kind, scope_of
    from cli.subjects import stated

    scope = scope_of(text, tenant or ALL_TENANTS)
    if scope.kind is Kind.TENANT and tenant:
        raise ValueError("--tenant goes with a user or an agent")
    if scope.kind is Kind.USER and scope.subject != EACH:
        scope = scope._replace(subject=_stored_name(stated(scope.subject, "the user's name"), log))
    return scope


def _stored_name(name: str, log: "AccessLog") -> str:
    """Return a user's name as rows have it."""
    from storage.person import STORED

    return name if STORED.fullmatch(name) else log.clean(name, "user.id")


def _one_of(text: str, valid: Sequence[str], option: str) -> str:
    if text not in valid:
        fail(f"{option} {text} is unknown", f"say one of {', '.join(valid)}")
    return text


def _in(scope: "Scope") -> str:
    return f" in {scope.tenant}" if scope.tenant else ""


def _statement(budget: "Budget") -> str:
    rungs = " ".join(f"--rung {rung:g}" for rung in budget.rungs)
    tenant = f" --tenant '{budget.scope.tenant}'" if budget.scope.tenant else ""
    return f"--{budget.unit} {budget.limit:g} --period {budget.period} {rungs}{tenant}{'' if budget.forecast else ' --no-forecast'}"


def _listed(budget: "Budget", *, counts: bool) -> Mapping[str, Any]:
    return {
        "scope": str(budget.scope), "tenant": budget.scope.tenant or None, "budget": budget.text, "limit": budget.limit,
        "unit": str(budget.unit), "period": str(budget.period), "rungs": list(budget.rungs), "forecast": budget.forecast,
        "source": budget.source, "set_by": budget.set_by or None, "set_at": budget.set_at, "counts": counts,
    }  # fmt: skip


_SHOWN: Final = ("scope", "tenant", "budget", "spent", "remaining", "used", "forecast", "period_end", "unknown_calls", "as_of")


def _standing(standing: "Standing") -> Mapping[str, Any]:
    from alerts.budgets.answers import told

    return {
        "scope": str(standing.scope), "tenant": standing.scope.tenant or None, "budget": standing.budget.text,
        "allowed": standing.remaining > 0, **told(standing), "source": standing.budget.source,
    }  # fmt: skip
