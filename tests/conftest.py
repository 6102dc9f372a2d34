"""What holds for every test: compiled prefilters are shared between test processes and runs, and nobody's home is touched."""

import os
from pathlib import Path

os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parent.parent / ".pytest_cache" / "xdg")
