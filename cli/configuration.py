"""Finding and loading the configuration for a command, with its errors as one message."""

import os
from dataclasses import replace
from pathlib import Path

import typer

from cli.options import DEFAULT_CONFIG, EXIT_USAGE
from collector.config import DEFAULT, Config, ConfigError, load, parse


def load_or_fail(path: Path | None) -> Config:
    """Return the configuration of `path`, else of ./otel-config.yaml, else the built-in one; exits with 2 and all problems."""
    try:
        return load_config(path)
    except ConfigError as error:
        typer.echo(f"auditlake: {error}", err=True)
        typer.echo("  → correct the lines above, then check with: auditlake validate", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def load_config(path: Path | None) -> Config:
    """Return the configuration of `path`, else of ./otel-config.yaml, else the built-in one; raises ConfigError with all problems."""
    if path is None and not DEFAULT_CONFIG.exists():
        return parse(DEFAULT, "built-in configuration", os.environ)
    return load(path or DEFAULT_CONFIG, os.environ)


def with_workers(config: Config, workers: int | None) -> Config:
    """Return the configuration with the number of receiving processes that the command line asks for, if it does."""
    return config if workers is None else replace(config, workers=workers)


def rule_files(config: Config, beside: Path | None) -> list[Path]:
    """Return the alert rule files: each looked up in the working directory, beside the configuration, then in the installed package."""
    if config.alerts is None:
        return []
    import alerts

    package_root = Path(alerts.__file__).parent.parent
    roots = [Path(), *([beside.parent] if beside is not None else []), package_root]
    found = []
    for rule_file in config.alerts.rules:
        places = [root / rule_file for root in roots]
        found.append(next((place for place in places if place.exists()), rule_file))
    return found


def cache_folder() -> Path | None:
    """Return where compiled prefilters are kept: below XDG_CACHE_HOME, else ~/.cache; need not exist, nothing in it is needed again.

    None for a user without a home, as in many containers: a folder of everybody's is no place for what decides about redaction.
    """
    wanted = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if wanted.is_absolute():  # others have to be ignored (XDG Base Directory Specification)
        return wanted / "auditlake"
    try:
        return Path.home() / ".cache" / "auditlake"
    except RuntimeError:
        return None
