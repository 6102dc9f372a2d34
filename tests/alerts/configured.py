"""A configuration that differs from the shipped one in its section `alerts` alone."""

from pathlib import Path

from collector.config import DEFAULT


def configured(folder: Path, section: str) -> Path:
    """Write a configuration with these lines in its section `alerts`, in the place of its example of receivers; returns its path."""
    before, marker, after = DEFAULT.partition("    # receivers: ")
    assert marker
    path = folder / "otel-config.yaml"
    path.write_text(before + section + after.partition("\n")[2])
    return path
