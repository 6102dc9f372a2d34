"""The script that `auditlake dashboard` has streamlit run; its one argument is the data directory.

It has a folder of its own because streamlit puts the script's folder first on `sys.path`: no file beside it may carry a package's name.
"""

import sys
from pathlib import Path

from dashboards.app import main

main(Path(sys.argv[1]))
