"""What `deploy/try-entrypoint.sh` does inside the container that is none: the image's entry point, one span, one query."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CONFIG = "/etc/auditlake/otel-config.yaml"
START_SECONDS = 90
SPAN = {
    "traceId": os.urandom(16).hex(),
    "spanId": os.urandom(8).hex(),
    "name": "trial",
    "startTimeUnixNano": "1",
    "endTimeUnixNano": "2",
}


def status(port: int, path: str, body: bytes | None = None, token: str = "") -> int:
    """Ask the collector; 0 when nobody listens."""
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def is_read_only(folder: str) -> bool:
    """Say whether nothing can be written there."""
    try:
        (Path(folder) / "written").touch()
    except OSError:
        return True
    return False


def check(what: str, holds: bool) -> None:
    """Say that it holds, or end here."""
    sys.stdout.write(f"{'ok' if holds else 'FAILED'}  {what}\n")
    sys.stdout.flush()
    if not holds:
        raise SystemExit(1)


def main() -> None:
    """Run the trial."""
    check(f"user {os.getuid()}, no capabilities", os.getuid() != 0 and "CapEff:\t0000000000000000" in Path("/proc/self/status").read_text())
    check("the root is read-only", all(is_read_only(folder) for folder in ("/", "/etc", "/usr", "/etc/auditlake")))
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()
    collector = subprocess.Popen(["auditlake", "collect", "--config", CONFIG])
    try:
        deadline = time.monotonic() + START_SECONDS
        while status(13133, "/ready") != 200 and collector.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        check("the collector is ready", status(13133, "/ready") == 200)
        check("a span without a token is refused", status(4318, "/v1/traces", body) == 401)
        check("a span with one is taken", status(4318, "/v1/traces", body, os.environ["TOKEN"]) == 200)
        begun = time.monotonic()
        collector.send_signal(signal.SIGTERM)
        check("it stops in order within 10 s", collector.wait(15) == 0 and time.monotonic() - begun < 10)
    finally:
        collector.kill()
    query = ["auditlake", "query", "SELECT name, tenant FROM spans", "--format", "json"]  # as `docker exec` and `kubectl exec` do
    rows = json.loads(subprocess.run(query, check=True, capture_output=True, timeout=120).stdout)
    check("a query shows it, with the tenant of its token", rows == [{"name": "trial", "tenant": "acme"}])


if __name__ == "__main__":
    main()
