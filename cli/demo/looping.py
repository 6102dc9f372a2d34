"""The looping agent, with the SDK: it repeats one tool call with the same arguments until it runs out of steps."""

import uuid

import auditlake

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process, start

MODEL = "gpt-4o-mini"
MAX_STEPS = 8
BEAT_SECONDS = 15.0


def main() -> None:
    """Loop until stopped."""
    process = start("looping")
    auditlake.configure(
        "looping",
        endpoint=process.endpoint,
        tenant=TENANT,
        environment=ENVIRONMENT,
        release=RELEASE,
        agent_name="looping",
        delay_seconds=0.5,
    )
    done = 0
    while process.more(done):
        auditlake.heartbeat("busy", interval_seconds=BEAT_SECONDS)
        loop(process)
        done += 1
        process.pause(process.rng.uniform(5.0, 8.0))
    auditlake.shutdown("the demo stops", timeout_seconds=2.0)


def loop(process: Process) -> None:
    """Wait for stock that never comes, in ever the same words."""
    arguments = {"sku": "LAMP-WALNUT-2", "warehouse": "Ghent"}
    with auditlake.run(task_type="restock", actor="scheduler") as run:
        for _ in range(MAX_STEPS):
            if process.stopping.is_set():
                run.stop("cancelled")
                return
            with auditlake.model_call(MODEL, provider="openai", prompt_version="2") as call:
                process.work(0.1, 0.3)
                call.messages(input="Order more once there is stock. Current answer: unknown.", output="I will check the stock again.")
                call.tokens(input=process.rng.randint(700, 900), output=process.rng.randint(20, 40))
                call.result(finish_reason="tool_calls", response_id=f"chatcmpl-{uuid.uuid4().hex[:24]}")
            with auditlake.tool_call(
                "check_stock", arguments=arguments, call_id=f"call-{uuid.uuid4().hex[:12]}", side_effect="read"
            ) as tool:
                process.work(0.05, 0.15)
                tool.result({"stock": None})
        run.stop("max_steps")


if __name__ == "__main__":
    main()
