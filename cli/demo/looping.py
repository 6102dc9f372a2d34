"""The looping agent, with the SDK: now and then it repeats one tool call with the same arguments until it runs out of steps."""

import uuid

import auditlake

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process, start

MODEL = "gpt-4o-mini"
MAX_STEPS = 8
LOOP_EVERY = 8
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
        restock(process, in_stock=done % LOOP_EVERY != 0)
        done += 1
        process.pause(process.rng.uniform(5.0, 8.0))
    auditlake.shutdown("the demo stops", timeout_seconds=2.0)


def restock(process: Process, *, in_stock: bool) -> None:
    """Order more once there is stock; where there is none, ask again in ever the same words."""
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
                tool.result({"stock": 12 if in_stock else None})
            if in_stock:
                auditlake.checkpoint("final_response", state="completed")
                return
        run.stop("max_steps")


if __name__ == "__main__":
    main()
