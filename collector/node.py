"""The name of a machine as the origins in its data directory begin with it: `<node>/collector`, `<node>/alerts`."""

import re


def node_name(hostname: str) -> str:
    """Return a host name as the node part of an origin: letters, digits, dot, dash and underscore, at most 63."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", hostname).lstrip("._-")[:63]
    return name or "node"
