"""What the policy says when the configuration does not: visible on purpose, because it decides what a reader of the lake will see."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_ENTITIES: Final = (
    "CREDIT_CARD",
    "CRYPTO",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "MEDICAL_LICENSE",
    "PHONE_NUMBER",
    "UK_NHS",
    "US_BANK_NUMBER",
    "US_DRIVER_LICENSE",
    "US_ITIN",
    "US_PASSPORT",
    "US_SSN",
)
"""What `entities: default` looks for: personal data that does not also match ordinary telemetry."""

OPTIONAL_ENTITIES: Final = ("DATE_TIME", "IP_ADDRESS", "MAC_ADDRESS", "URL", "UUID")
"""Only on request: these match timestamps, hosts, file names and ids that an operator needs."""

_PART: Final = r"(?:[-_.]|(?-i:(?<=[a-z0-9])(?=[A-Z])))"
"""Where a word of a key ends: `secret_name`, `secretName`."""

_ABOUT: Final = (
    r"(?:names?|refs?|types?|kind|len(?:gth)?|count|limit|polic(?:y|ies)|enabled|disabled|required|expir(?:y|es|ed|ation)|age|version|arn"
    r"|algorithm|status|field|provider|manager|domain|consent|attempts|strength|min|max|format|endpoint"
    r"|(?:created|updated|rotated|changed|expires|issued)[-_.]?(?:at|on|in))"
)
"""Words of keys that say something about a secret: `secretName` is where it is kept, `password_min_length` what it has to be."""

_NO_SECRET: Final = (
    rf"(?!(?:has|is|needs?|requires?|num){_PART})(?!.*{_PART}{_ABOUT}$)(?!.*(?:api[-_.]?key|passw(?:or)?d){_PART}id$)"
    rf"(?!.*authorization{_PART}(?:ur[il]|servers?)$)"
)

DEFAULT_BLOCKED_KEYS: Final = (
    rf"(?i)^{_NO_SECRET}.*(?:passw(?:or)?d(?!less)|passphrase|secret(?!ar[iy])|api[-_.]?key|authorization|cookie|private[-_.]?key)",
    r"(?i)(access|refresh|auth|bearer|session|id|api|private|personal|deploy|bot|csrf)[-_.]?token$",
    r"(?i)(^|[-_.]|(?-i:(?<=[a-z])(?=[A-Z])))(access|app|consumer|decryption|encryption|hmac|master|signing|storage|webhook)[-_.]?key$",
)
"""Keys whose values are never stored, whatever they hold."""

DEFAULT_EXEMPT_KEYS: Final = (
    # records and their relations
    "trace_id", "span_id", "parent_span_id", "traceId", "spanId",
    "auditlake.run.id", "auditlake.task.id", "auditlake.kind", "auditlake.stop_reason", "auditlake.input.ref",
    "auditlake.tool.authorization", "auditlake.tool.idempotency_key", "auditlake.policy.version", "auditlake.alert.fingerprint",
    # model calls
    "gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.system",
    "gen_ai.provider.name", "gen_ai.operation.name", "gen_ai.agent.id", "gen_ai.tool.name", "gen_ai.data_source.id",
    "gen_ai.token.type", "gen_ai.output.type", "gen_ai.openai.response.system_fingerprint", "openai.response.system_fingerprint",
    "llm.model_name", "llm.provider", "llm.system", "llm.request.type", "openinference.span.kind", "traceloop.span.kind",
    "tool_call.id", "tool_call_id", "ai.model.id", "ai.model.provider", "ai.response.id", "ai.response.model", "ai.operationId",
    # where it ran
    "service.name", "service.version", "service.namespace", "service.instance.id", "telemetry.sdk.name", "telemetry.sdk.version",
    "telemetry.sdk.language", "deployment.environment", "deployment.environment.name", "cloud.account.id", "cloud.region",
    "cloud.resource_id", "container.id", "container.image.name", "host.id", "host.name", "k8s.pod.name", "k8s.pod.uid",
    "k8s.namespace.name", "k8s.deployment.name", "k8s.node.name", "process.executable.name", "code.function.name",
)  # fmt: skip
"""Ids that the pipeline itself needs. Their values pass unscanned only while they look like an id (see `redaction.keys`)."""

DEFAULT_IDENTITY_KEYS: Final = (
    "user.id", "user.email", "user.name", "user.full_name", "user.hash", "enduser.id", "enduser.pseudo.id",
    "session.id", "session.previous_id", "gen_ai.conversation.id", "conversation_id", "thread_id",
    "user_id", "userId", "session_id", "sessionId", "customer.id", "customer_id", "account_id",
    "auditlake.tenant", "auditlake.approval.approver", "auditlake.rollout.owner", "auditlake.rollout.rollback_owner",
    "auditlake.access.on_behalf_of", "auditlake.resource",
    "langfuse.user.id", "langfuse.session.id", "langsmith.metadata.user_id", "langsmith.metadata.session_id",
    "traceloop.association.properties.user_id", "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.userId", "ai.telemetry.metadata.sessionId", "mlflow.trace.user", "mlflow.trace.session",
)  # fmt: skip
"""Keys that say who: personal data in them becomes a keyed pseudonym, so that two people stay two people."""

MODEL_ENTITIES: Final = ("LOCATION", "NRP", "ORGANIZATION", "PERSON")
"""What only a language model recognises. `PERSON` is also found by keys and by salutations, introductions and titles."""

COUNTRY_ENTITIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "au": ("AU_ABN", "AU_ACN", "AU_MEDICARE", "AU_TFN"),
    "ca": ("CA_POSTAL_CODE", "CA_SIN"),
    "de": (
        "DE_BSNR", "DE_FUEHRERSCHEIN", "DE_HANDELSREGISTER", "DE_HEALTH_INSURANCE", "DE_ID_CARD", "DE_KFZ", "DE_LANR", "DE_PASSPORT",
        "DE_PLZ", "DE_SOCIAL_SECURITY", "DE_TAX_ID", "DE_TAX_NUMBER", "DE_VAT_ID",
    ),
    "es": ("ES_NIE", "ES_NIF", "ES_PASSPORT"),
    "fi": ("FI_PERSONAL_IDENTITY_CODE",),
    "fr": ("FR_NIR",),
    "in": ("IN_AADHAAR", "IN_GSTIN", "IN_PAN", "IN_PASSPORT", "IN_VEHICLE_REGISTRATION", "IN_VOTER"),
    "it": ("IT_DRIVER_LICENSE", "IT_FISCAL_CODE", "IT_IDENTITY_CARD", "IT_PASSPORT", "IT_VAT_CODE"),
    "kr": ("KR_BRN", "KR_DRIVER_LICENSE", "KR_FRN", "KR_PASSPORT", "KR_RRN"),
    "ng": ("NG_NIN", "NG_VEHICLE_REGISTRATION"),
    "ph": ("PH_PASSPORT", "PH_TIN", "PH_UMID"),
    "pl": ("PL_PESEL",),
    "se": ("SE_ORGANISATIONSNUMMER", "SE_PERSONNUMMER"),
    "sg": ("SG_NRIC_FIN", "SG_UEN"),
    "th": ("TH_TNIN",),
    "tr": ("TR_LICENSE_PLATE", "TR_NATIONAL_ID"),
    "uk": ("UK_DRIVING_LICENCE", "UK_NHS", "UK_NINO", "UK_PASSPORT", "UK_POSTCODE", "UK_VEHICLE_REGISTRATION"),
    "us": (
        "ABA_ROUTING_NUMBER", "MEDICAL_LICENSE", "US_BANK_NUMBER", "US_CLAIM_NUMBER", "US_DRIVER_LICENSE",
        "US_HEALTH_INSURANCE_MEMBER_ID", "US_ITIN", "US_MBI", "US_NPI", "US_PASSPORT", "US_PRESCRIPTION_NUMBER",
        "US_PRIOR_AUTHORIZATION_NUMBER", "US_PROVIDER_TAX_ID", "US_REFERRAL_NUMBER", "US_SSN",
    ),
    "za": (
        "ZA_COMPANY_REGISTRATION", "ZA_DRIVER_LICENSE", "ZA_ID_NUMBER", "ZA_INCOME_TAX_NUMBER", "ZA_LICENSE_PLATE", "ZA_PASSPORT",
        "ZA_TRAFFIC_REGISTER_NUMBER", "ZA_VAT_NUMBER",
    ),
})  # fmt: skip
"""What the recognizers of a country find, by `supported_countries`; its phone numbers are `PHONE_NUMBER`."""

KEY_ENTITIES: Final = (
    "ACCOUNT", "ADDRESS", "CARD_EXPIRY", "CARD_SECURITY_CODE", "CREDIT_CARD", "DATE_OF_BIRTH", "DRIVER_LICENSE", "EMAIL_ADDRESS",
    "IBAN_CODE", "MEDICAL_RECORD", "NATIONAL_ID", "PASSPORT", "PERSON", "PHONE_NUMBER", "TAX_ID", "US_SSN",
)  # fmt: skip
"""What `sensitive_keys` makes of a value because of its key."""

POLICY_ENTITIES: Final = ("BLOCKED_KEY", "BLOCKED_VALUE")
"""What the policy itself takes out."""

DEFAULT_NOT_SENSITIVE_KEYS: Final = (
    # machines have addresses, names and accounts, too
    r"^(gen_ai|llm|openinference|traceloop|openai|mcp|ai)\.",
    r"^(service|telemetry|deployment|host|process|container|k8s|cloud|aws|gcp|azure|os|device|faas|webengine|code|thread)\.",
    r"^(server|client|network|net|peer|source|destination|http|url|dns|rpc|db|messaging|graphql|tls|error|exception|feature_flag)\.",
)
"""Keys of OpenTelemetry's conventions that name machines: `sensitive_keys` never applies to an attribute of these."""

DEFAULT_MACHINE_SIBLINGS: Final = (
    # tools, models, agents, messages
    "type", "function", "arguments", "args", "kwargs", "parameters", "params", "description", "input_schema", "inputSchema",
    "json_schema", "schema", "strict", "tool_call_id", "toolCallId", "call_id", "tool_calls", "function_call", "version", "model",
    "provider", "tools", "content", "parts", "input", "output", "run_id", "span_id", "trace_id", "required", "default", "enum",
    "annotations", "instructions", "handler", "namespace", "module", "class", "lc", "repr", "graph", "command", "server", "handoffs",
    # files, products, places
    "path", "mime_type", "mimeType", "digest", "extension", "price", "sku", "quantity", "stock", "currency", "brand", "category",
    "rating", "iso", "lat", "lon", "lng", "latitude", "longitude", "population", "capital",
)  # fmt: skip
"""Beside these a `name` is a tool's, a model's, an agent's or a file's, unless one of `person_siblings` stands there, too."""

DEFAULT_PERSON_SIBLINGS: Final = (
    "email", "e-mail", "email_address", "emailAddress", "mail", "phone", "phone_number", "phoneNumber", "telephone", "mobile", "fax",
    "address", "street", "city", "zip", "postal_code", "postalCode", "dob", "date_of_birth", "dateOfBirth", "birth_date", "birthDate",
    "birthday", "ssn", "age", "gender", "first_name", "firstName", "last_name", "lastName", "surname", "nationality", "customer_id",
    "customerId", "patient_id", "patientId", "employee_id", "employeeId", "member_id", "memberId", "salary", "job_title",
    "jobTitle", "company", "occupation", "department", "insurance", "mrn", "iban", "passport", "relationship", "marital_status",
)  # fmt: skip
"""Beside these a `name` is a person's."""

SUMMARY_KEYS: Final = tuple(
    f"redaction.{part}{what}.{how}"
    for part in ("", "body.")
    for what in ("redacted", "masked", "allowed", "ignored")
    for how in ("keys", "count")
)
"""What redaction processors write on records: allowed whatever `allowed_keys` says, so that it survives a chain of them."""

DEFAULT_CONTENT_KEYS: Final = (
    # OpenTelemetry GenAI, today's names and the older events
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result", "gen_ai.retrieval.query.text", "gen_ai.retrieval.documents", "gen_ai.evaluation.explanation",
    "gen_ai.prompt", "gen_ai.completion",
    "gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.event.content", "gen_ai.tool.message",
    "content", "message", "messages", "prompt", "response", "input", "output", "arguments", "result",
    # Traceloop (OpenLLMetry)
    "gen_ai.prompt.*.content", "gen_ai.prompt.*.tool_calls.*.arguments", "gen_ai.completion.*.content",
    "gen_ai.completion.*.tool_calls.*.arguments", "gen_ai.completion.*.function_call.arguments", "gen_ai.completion.*.reasoning",
    "llm.prompts", "llm.prompts.*.content", "llm.completions", "llm.completions.*.content",
    "traceloop.entity.input", "traceloop.entity.output", "traceloop.prompt.template", "traceloop.prompt.template_variables",
    # OpenInference
    "input.value", "output.value", "llm.input_messages.*.message.content", "llm.output_messages.*.message.content",
    "llm.*_messages.*.message.contents.*.message_content.text", "llm.*_messages.*.message.contents.*.message_content.image.image.url",
    "llm.*_messages.*.message.tool_calls.*.tool_call.function.arguments", "llm.*_messages.*.message.function_call_arguments_json",
    "llm.prompts.*.prompt.text", "llm.choices.*.completion.text", "llm.prompt_template.template", "llm.prompt_template.variables",
    "llm.function_call", "retrieval.documents", "retrieval.documents.*.document.content", "retrieval.documents.*.document.metadata",
    "reranker.query", "reranker.*_documents.*.document.content", "embedding.text", "embedding.embeddings.*.embedding.text",
    # Vercel AI SDK
    "ai.prompt", "ai.prompt.messages", "ai.response.text", "ai.response.object", "ai.response.toolCalls", "ai.response.reasoning",
    "ai.response.files", "ai.result.text", "ai.result.object", "ai.result.toolCalls", "ai.toolCall.args", "ai.toolCall.result",
    "ai.value", "ai.values", "ai.embedding", "ai.embeddings",
    # Logfire and Pydantic AI
    "events", "all_messages_events", "pydantic_ai.all_messages", "final_result", "tool_arguments", "tool_response", "request_data",
    "response_data",
    # Langfuse, LangSmith, MLflow
    "langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output",
    "langsmith.inputs", "langsmith.outputs", "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.traceInputs", "mlflow.traceOutputs",
    # Claude Code, Codex, Gemini CLI
    "tool_input", "tool_parameters", "function_args", "request_text", "response_text",
)  # fmt: skip
"""Attribute keys that hold what people and models wrote; `*` stands for any run of characters."""

DEFAULT_CONTENT_EVENTS: Final = ("gen_ai.*", "claude_code.*", "codex.*", "gemini_cli.*")
"""Names of events (log records) whose body is content."""

DEFAULT_SUBJECT_KEYS: Final = ("enduser.id", "user.id")
"""Attributes that say whose data a record holds, the first that is there."""
