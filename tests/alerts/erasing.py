"""Somebody who is erased from the state of the alerts, and where files still name her."""

import re
import subprocess
import tempfile
from pathlib import Path

from alerts.forgetting import forget
from tests.leak_scan import scan

NAME = "person-4711"
mentions = re.compile(NAME).search


def erase_here(data: Path) -> None:
    forget(data, mentions)


def places(data: Path, name: str = NAME) -> list[str]:
    """Return where files below a directory hold a name; of a copy, since to read them in this process would drop SQLite's locks."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cp", "-r", str(data), f"{folder}/copy"], check=True)
        return scan(Path(folder, "copy"), [name])[name]
