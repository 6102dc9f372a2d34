"""Processes that draw nothing have no pandas in them, though it is installed: it would take 0.3 s and 40 MiB each."""

import importlib.util
import subprocess
import sys

from storage.ledger.verify_workers import _COMMAND

USED = "import pyarrow; assert pyarrow.array([1, None]).null_count == 1; assert 'pandas' not in sys.modules"


def test_pyarrow_works_without_pandas_and_would_import_it() -> None:
    assert importlib.util.find_spec("pandas") is not None
    with_it = "import sys, pyarrow; pyarrow.array([1]); assert 'pandas' in sys.modules"
    subprocess.run([sys.executable, "-c", with_it], check=True)
    subprocess.run([sys.executable, "-c", f"import sys; from storage.light import without_pandas; without_pandas(); {USED}"], check=True)


def test_a_process_that_verifies_files_has_none() -> None:
    """With no input it ends at once; what it had imported until then it says on its way."""
    main = _COMMAND[2] + f"\n{USED}"
    subprocess.run([*_COMMAND[:2], main, *_COMMAND[3:], "."], check=True, stdin=subprocess.DEVNULL)
