"""The thorough agent, with the SDK: each of its durable audit records carries the whole protocol of what it compared.

A protocol is tens of kilobytes that were never seen before, with a clerk's address on every page, so redaction has to scan all of it
before the record may be acknowledged. That takes several times the 20 ms that AuditWriteLatency allows.
"""

import auditlake

from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process, start

PROTOCOL_CHARS = 80_000
PAGE_LINES = 20
HURRIED = 25
"""So many come in quick succession: fewer than 20 writes have no 99th percentile."""
RESULTS = ("agrees", "one item short", "charged twice", "carrier unknown", "weight differs")


def main() -> None:
    """Compare invoices with deliveries until stopped."""
    process = start("thorough")
    auditlake.configure(
        "thorough", endpoint=process.endpoint, tenant=TENANT, environment=ENVIRONMENT, release=RELEASE, agent_name="thorough",
        delay_seconds=0.5,
    )  # fmt: skip
    done = 0
    while process.more(done):
        reconcile(process, done)
        done += 1
        process.pause(1.5 if done < HURRIED else 10.0)
    auditlake.shutdown("the demo stops", timeout_seconds=2.0)


def reconcile(process: Process, number: int) -> None:
    """Compare one carrier's invoice with what was delivered, and go on only when the protocol is durable."""
    with auditlake.run(task_type="reconciliation", actor="accounting", input_ref=f"invoice/{number}") as run:
        with auditlake.tool_call("read_invoice", arguments={"number": number}, side_effect="read") as tool:
            process.work(0.05, 0.15)
            tool.result({"lines": 400})
        try:
            auditlake.audit("invoice.reconcile", f"invoice/{number}", "success", message=protocol(process))
        except auditlake.AuditError:
            run.stop("error")


def protocol(process: Process) -> str:
    """Return what was compared with what, line by line, and who checked each page."""
    lines: list[str] = []
    size = 0
    while size < PROTOCOL_CHARS:
        parcel, result = process.rng.randrange(10_000_000, 100_000_000), process.rng.choice(RESULTS)
        line = f"compared line {len(lines) + 1} of the invoice with the delivery note of parcel {parcel}: {result}"
        if len(lines) % PAGE_LINES == 0:
            line = f"page checked by clerk{process.rng.randint(1, 9)}@northwind.example"
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines)


if __name__ == "__main__":
    main()
