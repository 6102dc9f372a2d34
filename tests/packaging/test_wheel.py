"""The wheel holds exactly our packages and runs from a clean environment."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"alerts", "cli", "collector", "dashboards", "redaction", "storage"}


def build(project: Path, target: Path) -> Path:
    """Build the wheel of `project` without network: the build backend is installed."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(project)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's wheel."""
    return build(ROOT, tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def sdk_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's wheel."""
    return build(ROOT / "sdk", tmp_path_factory.mktemp("sdk"))


def tracked(*folders: str) -> set[str]:
    """Return the files that git tracks below the folders, so that the wheel is compared with the source, not with itself."""
    listing = subprocess.run(["git", "ls-files", "--", *folders], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(listing.split())


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == PACKAGES
    assert names >= tracked(*sorted(PACKAGES))
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_sdk_is_a_distribution_of_its_own(sdk_wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(sdk_wheel).namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"auditlake"}


def test_the_wheel_runs_from_a_clean_environment(wheel: Path, sdk_wheel: Path, tmp_path: Path) -> None:
    """The packages come from the wheel alone; third-party libraries are those of the lock, shared read-only."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        str(wheel),
        str(sdk_wheel),
    ]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_FIND"))}
    subprocess.run(install, check=True, env=clean, timeout=120)
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (next((environment / "lib").glob("python*/site-packages")) / "lock.pth").write_text(libraries + "\n")
    run = subprocess.run(
        [str(environment / "bin/auditlake"), "--version"], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout.strip()) == (0, "0.1.0"), run.stderr
    where = "import cli.main, collector.config, auditlake; print(cli.main.__file__, collector.config.__file__, auditlake.__file__)"
    files = subprocess.run(
        [str(python), "-c", where], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert all(file.startswith(str(environment)) for file in files), files
    validate = [str(environment / "bin/auditlake"), "validate", "--no-ports"]
    checked = subprocess.run(validate, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
