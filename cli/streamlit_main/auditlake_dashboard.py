"""The script that `auditlake dashboard` has streamlit run; its one argument is the data directory.

It has a folder of its own because streamlit puts the script's folder first on `sys.path`: beside it, no file may carry the name of a package.
"""

import sys
from pathlib import Path

from dashboards.app import main

main(Path(sys.argv[1]))
