"""The names that the SDK writes: OpenTelemetry's GenAI conventions, and auditlake's own where no convention has one.

A test compares the `auditlake.*` names with the registry of the collector, and the `gen_ai.*` names with the installed
OpenTelemetry package. They are constants of our own because the GenAI conventions are still in development.
"""

from typing import Final

# resource and identity (OpenTelemetry)
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
ENVIRONMENT: Final = "deployment.environment.name"
USER_ID: Final = "user.id"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# GenAI (OpenTelemetry)
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_VERSION: Final = "gen_ai.agent.version"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
COST_USD: Final = "operation.cost"  # what the agent says it paid; the collector prices the call as well

# every record
KIND: Final = "auditlake.kind"
RUN_ID: Final = "auditlake.run.id"
SEQ: Final = "auditlake.seq"
SEQ_LAST: Final = "auditlake.seq.last"
TENANT: Final = "auditlake.tenant"
PROJECT: Final = "auditlake.project"
TASK_TYPE: Final = "auditlake.task.type"
STOP_REASON: Final = "auditlake.stop_reason"
TERMINATED_REASON: Final = "auditlake.run.terminated_reason"
PLANNING_MS: Final = "auditlake.run.planning_ms"
EXECUTION_MS: Final = "auditlake.run.execution_ms"
QUALITY_SCORE: Final = "auditlake.quality.score"
SATISFACTION: Final = "auditlake.satisfaction"
HANDOFF_TO: Final = "auditlake.handoff.to"
INPUT_REF: Final = "auditlake.input.ref"
OUTPUT_STATUS: Final = "auditlake.output.status"

# tool, retrieval, memory
TOOL_AUTHORIZATION: Final = "auditlake.tool.authorization"
TOOL_RETRY_COUNT: Final = "auditlake.tool.retry_count"
TOOL_IDEMPOTENCY_KEY: Final = "auditlake.tool.idempotency_key"
TOOL_SIDE_EFFECT: Final = "auditlake.tool.side_effect"
TOOL_REQUIRES_APPROVAL: Final = "auditlake.tool.requires_approval"
RETRIEVAL_SOURCE_IDS: Final = "auditlake.retrieval.source_ids"
RETRIEVAL_FRESHNESS: Final = "auditlake.retrieval.freshness_seconds"
RETRIEVAL_MAX_AGE: Final = "auditlake.retrieval.max_age_seconds"
RETRIEVAL_ACCESS: Final = "auditlake.retrieval.access_decision"
RETRIEVAL_CITATION: Final = "auditlake.retrieval.citation_required"
RETRIEVAL_MISSING: Final = "auditlake.retrieval.missing_evidence"
RETRIEVAL_STALE_IDS: Final = "auditlake.retrieval.stale_source_ids"
RETRIEVAL_FORBIDDEN_IDS: Final = "auditlake.retrieval.forbidden_source_ids"
RETRIEVAL_CITATION_FAILURES: Final = "auditlake.retrieval.citation_failures"
RETRIEVAL_ISSUE: Final = "auditlake.retrieval.issue"
MEMORY_OPERATION: Final = "auditlake.memory.operation"
MEMORY_READ_IDS: Final = "auditlake.memory.read_ids"
MEMORY_WRITE_IDS: Final = "auditlake.memory.write_ids"
MEMORY_RETENTION: Final = "auditlake.memory.retention_class"
MEMORY_POLICY_BASIS: Final = "auditlake.memory.policy_basis"

# events
EVENT_RUN_STARTED: Final = "run.started"
EVENT_POLICY: Final = "policy.decision"
EVENT_APPROVAL: Final = "approval"
EVENT_EVALUATION: Final = "gen_ai.evaluation.result"
EVENT_CHECKPOINT: Final = "checkpoint"
EVENT_HEARTBEAT: Final = "heartbeat"
EVENT_SHUTDOWN: Final = "agent.shutdown"
EVENT_TASK: Final = "task"
EVENT_HANDOFF: Final = "handoff"
EVENT_TRUST: Final = "trust.handshake"
EVENT_CREDENTIAL: Final = "credential.rotation"
EVENT_RETRIEVAL_ISSUE: Final = "retrieval.issue"
EVENT_CIRCUIT: Final = "resilience.circuit"
EVENT_FALLBACK: Final = "resilience.fallback"
EVENT_CACHE_HIT: Final = "resilience.cache_hit"
EVENT_RATE_LIMIT: Final = "resilience.rate_limit"
EVENT_RETRY: Final = "resilience.retry"
EVENT_COMPENSATION: Final = "resilience.compensation"
EVENT_ESCALATION: Final = "resilience.escalation"
EVENT_DEAD_LETTER: Final = "resilience.dead_letter"
EVENT_MISSED_SCHEDULE: Final = "resilience.missed_schedule"
EVENT_INCIDENT_OPENED: Final = "incident.opened"
EVENT_INCIDENT_CLOSED: Final = "incident.closed"
EVENT_ACTION: Final = "agent_action"
EVENT_SECURITY: Final = "security"
EVENT_ROLLOUT: Final = "rollout"
EVENT_QUEUE_DEPTH: Final = "queue.depth"
EVENT_DROPPED: Final = "telemetry.dropped"

POLICY_VERSION: Final = "auditlake.policy.version"
POLICY_DECISION: Final = "auditlake.policy.decision"
POLICY_REASON: Final = "auditlake.policy.reason_code"
POLICY_EFFECT: Final = "auditlake.policy.effect"
POLICY_ACTION: Final = "auditlake.policy.action"
APPROVAL_STATE: Final = "auditlake.approval.state"
APPROVAL_ACTION: Final = "auditlake.approval.action"
APPROVAL_APPROVER: Final = "auditlake.approval.approver"
APPROVAL_ROLE: Final = "auditlake.approval.approver_role"
APPROVAL_EXPIRES: Final = "auditlake.approval.expires_at"
EVAL_CASE_ID: Final = "auditlake.eval.case_id"
EVAL_EVALUATOR_VERSION: Final = "auditlake.eval.evaluator_version"
EVAL_THRESHOLD: Final = "auditlake.eval.threshold"
EVAL_PASSED: Final = "auditlake.eval.passed"
CHECKPOINT_NAME: Final = "auditlake.checkpoint.name"
CHECKPOINT_STATE: Final = "auditlake.checkpoint.state"
HEARTBEAT_STATUS: Final = "auditlake.heartbeat.status"
HEARTBEAT_MESSAGE: Final = "auditlake.heartbeat.message"
HEARTBEAT_INTERVAL: Final = "auditlake.heartbeat.interval_seconds"
HEARTBEAT_CONFIG: Final = "auditlake.heartbeat.config_version"
HEARTBEAT_NEWEST_CONFIG: Final = "auditlake.heartbeat.newest_config_version"
HEARTBEAT_CPU: Final = "auditlake.heartbeat.cpu_percent"
HEARTBEAT_MEMORY: Final = "auditlake.heartbeat.memory_bytes"
TASK_ID: Final = "auditlake.task.id"
TASK_STATE: Final = "auditlake.task.state"
TASK_DELIVERABLE: Final = "auditlake.task.deliverable"
TASK_REVIEW: Final = "auditlake.task.review"
ACTION: Final = "auditlake.action"
RESOURCE: Final = "auditlake.resource"
OUTCOME: Final = "auditlake.outcome"
LATENCY_MS: Final = "auditlake.latency_ms"
REASON_CODE: Final = "auditlake.reason_code"
SECURITY_CATEGORY: Final = "auditlake.security.category"
SECURITY_THREAT_LEVEL: Final = "auditlake.security.threat_level"
SECURITY_THREAT_SCORE: Final = "auditlake.security.threat_score"
SECURITY_DISPOSITION: Final = "auditlake.security.disposition"
SECURITY_DETECTOR: Final = "auditlake.security.detector"
SECURITY_SENDER: Final = "auditlake.security.sender"
SECURITY_COUNT: Final = "auditlake.security.count"
ROLLOUT_CHANGE: Final = "auditlake.rollout.change"
ROLLOUT_RELEASE: Final = "auditlake.rollout.release"
ROLLOUT_ROLLBACK_OWNER: Final = "auditlake.rollout.rollback_owner"
ROLLOUT_COMMIT: Final = "auditlake.rollout.commit"
ROLLOUT_DATASET_VERSION: Final = "auditlake.rollout.dataset_version"
ROLLOUT_MODEL: Final = "auditlake.rollout.model"
ROLLOUT_PROMPT_VERSION: Final = "auditlake.rollout.prompt_version"
ROLLOUT_TOOL_SCHEMA_VERSION: Final = "auditlake.rollout.tool_schema_version"
ROLLOUT_POLICY_VERSION: Final = "auditlake.rollout.policy_version"
ROLLOUT_STAGE: Final = "auditlake.rollout.stage"
ROLLOUT_OWNER: Final = "auditlake.rollout.owner"
RESILIENCE_STATE: Final = "auditlake.resilience.state"
RESILIENCE_ATTEMPT: Final = "auditlake.resilience.attempt"
RESILIENCE_FALLBACK: Final = "auditlake.resilience.fallback"
RESILIENCE_DELAY: Final = "auditlake.resilience.delay_seconds"
RESILIENCE_DUE_AT: Final = "auditlake.resilience.due_at"
INCIDENT_ID: Final = "auditlake.incident.id"
INCIDENT_SEVERITY: Final = "auditlake.incident.severity"
DROPPED_COUNT: Final = "auditlake.dropped.count"
DROPPED_SIGNAL: Final = "auditlake.dropped.signal"
DROPPED_REASON: Final = "auditlake.dropped.reason"
QUEUE_NAME: Final = "auditlake.queue.name"
QUEUE_ASSIGNED: Final = "auditlake.queue.assigned"

# metrics
VIOLATION_KIND: Final = "auditlake.violation.kind"
UNCERTAINTY_HANDLING: Final = "auditlake.uncertainty.handling"
MEMORY_STORE: Final = "auditlake.memory.store"
METRIC_QUEUE_DEPTH: Final = "auditlake.queue.depth"
METRIC_DROPPED: Final = "auditlake.dropped"
METRIC_REASONING_ACCURACY: Final = "auditlake.cognitive.reasoning_accuracy"
METRIC_CONFIDENCE_CALIBRATION: Final = "auditlake.cognitive.confidence_calibration"
METRIC_REQUEST_DURATION: Final = "auditlake.operational.request_duration"
METRIC_TOOL_SUCCESS_RATE: Final = "auditlake.operational.tool_success_rate"
METRIC_MEMORY_EFFICIENCY: Final = "auditlake.operational.memory_retrieval_efficiency"
METRIC_TASK_COMPLETION: Final = "auditlake.business.task_completion"
METRIC_SATISFACTION: Final = "auditlake.business.satisfaction"
METRIC_COST_PER_INTERACTION: Final = "auditlake.business.cost_per_interaction"
METRIC_VIOLATIONS: Final = "auditlake.safety.violations"
METRIC_BIAS_ALERTS: Final = "auditlake.safety.bias_alerts"
METRIC_UNCERTAINTY_HANDLING: Final = "auditlake.safety.uncertainty_handling"

UNITS: Final = {
    METRIC_QUEUE_DEPTH: "{task}",
    METRIC_DROPPED: "{record}",
    METRIC_REASONING_ACCURACY: "1",
    METRIC_CONFIDENCE_CALIBRATION: "1",
    METRIC_REQUEST_DURATION: "s",
    METRIC_TOOL_SUCCESS_RATE: "1",
    METRIC_MEMORY_EFFICIENCY: "1",
    METRIC_TASK_COMPLETION: "{task}",
    METRIC_SATISFACTION: "1",
    METRIC_COST_PER_INTERACTION: "USD",
    METRIC_VIOLATIONS: "{violation}",
    METRIC_BIAS_ALERTS: "{alert}",
    METRIC_UNCERTAINTY_HANDLING: "{decision}",
}
_RATIO: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
BUCKETS: Final = {
    METRIC_REASONING_ACCURACY: _RATIO,
    METRIC_CONFIDENCE_CALIBRATION: _RATIO,
    METRIC_REQUEST_DURATION: (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0),
    METRIC_TOOL_SUCCESS_RATE: _RATIO,
    METRIC_MEMORY_EFFICIENCY: _RATIO,
    METRIC_SATISFACTION: _RATIO,
    METRIC_COST_PER_INTERACTION: (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0),
}
"""Upper bounds of the histograms, in their unit: the same in every process, so that they can be added up."""
