"""What holds for every test: compiled prefilters are shared between test processes and runs, nobody's home is touched, and
properties are tried on the same examples everywhere."""

import os
from pathlib import Path

from hypothesis import settings

os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parent.parent / ".pytest_cache" / "xdg")

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching")
settings.load_profile("repeatable")  # `pytest --hypothesis-profile searching` looks for examples that nobody has seen
