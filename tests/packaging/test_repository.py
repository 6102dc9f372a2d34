"""Fixed points of the repository: locks name no registry, the command starts quickly and lazily, the Makefile keeps its promises."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_locks_pin_every_package_with_hashes_and_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        requirements = re.findall(r"^([a-z0-9._\[\]-]+)==", text, re.MULTILINE)
        assert len(requirements) > 50
        assert text.count("--hash=sha256:") >= len(requirements)
        assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_the_development_lock_agrees_with_what_runs() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9._\[\]-]+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_help_loads_no_heavy_library() -> None:
    """That is what keeps `auditlake --help` under 300 ms; the time itself is in the benchmark."""
    heavy = ["duckdb", "pyarrow", "streamlit", "presidio_analyzer", "sqlalchemy", "pydantic", "grpc", "httpx", "pandas"]
    code = f"import sys; from cli.main import application; application(); print([m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert loaded.strip() == "[]"


def test_ci_has_the_seven_stages() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert set(jobs) == {"test", "lint", "security", "benchmark", "build", "publish", "demo"}


def test_every_module_says_why_it_exists() -> None:
    listing = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    silent = [name for name in listing if (text := (ROOT / name).read_text().strip()) and not text.startswith(('"""', 'r"""'))]
    assert silent == []
