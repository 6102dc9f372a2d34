"""The report agent, with the SDK: soon after its start it spends in a minute what it usually spends in a month."""

import uuid
from datetime import UTC, datetime, timedelta

import auditlake

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process, start

DEAR_MODEL = "claude-opus-4-1"
USUAL_MODEL = "claude-haiku-4-5"
BURST_RUNS = 3
CALLS = 4
BURST_TOKENS = (140_000, 165_000)
BURST_SECONDS = 60.0
"""From the start of the burst until the rule has seen it."""


def main() -> None:
    """Write reports until stopped: the first few with the dear model and everything in the prompt."""
    process = start("report")
    auditlake.configure(
        "report", endpoint=process.endpoint, tenant=TENANT, environment=ENVIRONMENT, release=RELEASE, agent_name="report", delay_seconds=0.5
    )
    process.pause(5.0 + until_a_day_with_room(datetime.now(UTC)))
    done = 0
    while process.more(done):
        write(process, burst=done < BURST_RUNS)
        done += 1
        process.pause(3.0 if done < BURST_RUNS else 45.0)
    auditlake.shutdown("the demo stops", timeout_seconds=2.0)


def until_a_day_with_room(now: datetime) -> float:
    """Return the seconds to wait so that the burst falls into one day (UTC): 0 unless midnight is near."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    left = (midnight - now).total_seconds()
    return left if left < BURST_SECONDS else 0.0


def write(process: Process, *, burst: bool) -> None:
    """Write one report; in a burst each call carries a whole quarter of tickets."""
    model, size = (DEAR_MODEL, BURST_TOKENS) if burst else (USUAL_MODEL, (3000, 5000))
    with auditlake.run(task_type="weekly-report", actor="scheduler", input_ref="tickets/2026-Q4"):
        for part in ("refunds", "delays", "warranty", "summary")[:CALLS]:
            with auditlake.model_call(model, provider="anthropic", prompt_version="4", input_ref=f"tickets/{part}") as call:
                process.work(0.3, 0.8)
                call.messages(
                    input=f"Summarise this quarter's tickets about {part}.", output=f"Most tickets about {part} concern a single carrier."
                )
                call.tokens(
                    input=process.rng.randint(*size), output=process.rng.randint(2500, 4500) if burst else process.rng.randint(200, 500)
                )
                call.result(finish_reason="end_turn", response_id=f"msg_{uuid.uuid4().hex[:24]}")
        auditlake.checkpoint("final_response", state="completed")


if __name__ == "__main__":
    main()
