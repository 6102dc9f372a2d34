"""The script that `auditlake dashboard` has streamlit run; its arguments are the data directory and, where it is configured, the
silence in seconds after which a run is abandoned.

It has a folder of its own because streamlit puts the script's folder first on `sys.path`: no file beside it may carry a package's name.
"""

import sys
from pathlib import Path

from dashboards.app import main
from storage.lake import ABANDONED_AFTER_SECONDS

main(Path(sys.argv[1]), abandoned_after_seconds=float(sys.argv[2]) if len(sys.argv) > 2 else ABANDONED_AFTER_SECONDS)
