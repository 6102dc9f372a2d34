"""The script that `auditlake dashboard` has streamlit run; its arguments are the data directory and, where they are given, the silence in
seconds after which a run is abandoned, and the configuration.

It has a folder of its own because streamlit puts the script's folder first on `sys.path`: no file beside it may carry a package's name.
"""

import sys
from pathlib import Path

from cli.page_log import PageLog, configured
from dashboards.app import Audit, main
from storage.lake import ABANDONED_AFTER_SECONDS


def audit() -> Audit:
    """Return what records visits, once a process."""
    config = configured(Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    header = None if config.dashboard is None else config.dashboard.user_header
    return Audit(record=PageLog(Path(sys.argv[1]), config), required=config.audit_reads == "required", user_header=header)


main(Path(sys.argv[1]), abandoned_after_seconds=float(sys.argv[2]) if len(sys.argv) > 2 else ABANDONED_AFTER_SECONDS, audit=audit)
