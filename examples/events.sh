#!/bin/sh
# Events from a shell: what cron jobs, deployments and scripts report. Needs curl, and a collector (`auditlake up`).
#
#   AUDITLAKE_URL    where it listens (default http://127.0.0.1:4318)
#   AUDITLAKE_TOKEN  a bearer token, where the collector wants one
set -eu

url="${AUDITLAKE_URL:-http://127.0.0.1:4318}/v1/events"

# Posts standard input as events of the Content-Type $1. An event counts as reported when the answer is {}: it is redacted and durable then.
post() {
    answer=$(curl --silent --show-error --fail-with-body --max-time 30 \
        ${AUDITLAKE_TOKEN:+--header "Authorization: Bearer $AUDITLAKE_TOKEN"} \
        --header "Content-Type: $1" --data-binary @- "$url") || { echo "not reported: $answer" >&2; return 1; }
    if [ "$answer" != '{}' ]; then
        echo "not all reported: $answer" >&2
        return 1
    fi
}

# a heartbeat, with the interval after which silence means something
post application/json <<JSON
{"event": "heartbeat", "agent": "nightly-report", "environment": "prod", "status": "busy", "interval_seconds": 60, "message": "reading the ledger"}
JSON

# what was done, to what, with what outcome; with an id, a retry of the same request is stored once
post application/json <<JSON
{"event": "agent_action", "id": "report-$$-$(date +%s)", "agent": "nightly-report", "environment": "prod", "actor": "scheduler",
 "action": "report.publish", "resource": "report/daily", "outcome": "success", "latency_ms": 812.5}
JSON

# several events, one a line
post application/x-ndjson <<JSON
{"event": "task", "task_id": "daily", "state": "done", "deliverable": "report/daily", "agent": "nightly-report", "environment": "prod"}
{"event": "queue.depth", "queue_name": "reports", "depth": 0, "queue_assigned": false, "agent": "nightly-report", "environment": "prod"}
{"event": "rollout", "stage": "canary", "change": "release", "release": "2026.11.3", "owner": "team-reports", "environment": "prod"}
{"event": "agent.shutdown", "agent": "nightly-report", "environment": "prod"}
JSON

echo "reported: auditlake query \"SELECT time, agent_name, status, message FROM heartbeats\""
