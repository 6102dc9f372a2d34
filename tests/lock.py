"""`make lock`: resolves the locks anew from pyproject.toml; they name packages, versions and hashes, never a registry."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write requirements.lock (what runs), requirements-dev.lock (that and the tools) and requirements-soak.lock, all hashed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    sdk = tomllib.loads((ROOT / "sdk/pyproject.toml").read_text())
    runtime = [*project["project"]["dependencies"], *sdk["project"]["dependencies"], *sdk["project"]["optional-dependencies"]["spool"]]
    runtime += project["build-system"]["requires"] + ["editables>=0.5"]
    resolve(runtime, "requirements.lock", [])
    resolve([*runtime, *project["dependency-groups"]["dev"]], "requirements-dev.lock", ["--constraints", "requirements.lock"])
    resolve(project["dependency-groups"]["soak"], "requirements-soak.lock", [])


def resolve(requirements: list[str], lock: str, options: list[str]) -> None:
    """Resolve `requirements` for every Python ≥ 3.11 and platform into the file `lock`."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as source:
        source.write("\n".join(requirements))
        source.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += [
            "--no-annotate",
            "--no-header",
            "--no-emit-index-url",
            "--no-emit-find-links",
            *options,
            source.name,
            "--output-file",
            lock,
        ]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
