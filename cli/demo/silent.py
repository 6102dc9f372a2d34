"""The silent agent, with the SDK: it promises a heartbeat every few seconds, and then ends without a word."""

import auditlake

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, start

BEAT_SECONDS = 5.0
BEATS = 5


def main() -> None:
    """Beat a few times and vanish: no `auditlake.shutdown()`."""
    process = start("silent")
    handle = auditlake.configure(
        "silent", endpoint=process.endpoint, tenant=TENANT, environment=ENVIRONMENT, release=RELEASE, agent_name="silent", delay_seconds=0.5
    )
    for number in range(BEATS):
        auditlake.heartbeat("idle", interval_seconds=BEAT_SECONDS, message="waiting for work", memory_bytes=81_000_000)
        if number < BEATS - 1:
            process.pause(BEAT_SECONDS)
    handle.shutdown(2.0)


if __name__ == "__main__":
    main()
