"""A minimal agent with plain OpenTelemetry and its GenAI attributes; nothing of auditlake is imported.

pip install opentelemetry-sdk opentelemetry-exporter-otlp
python examples/plain_otel.py            # to http://127.0.0.1:4318, or to OTEL_EXPORTER_OTLP_ENDPOINT
"""

import json

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind


def main() -> None:
    """Send one run of three steps."""
    provider = TracerProvider(resource=Resource.create({"service.name": "weather-agent", "service.version": "1.0"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("weather-agent")

    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather-agent", "user.id": "user-7"}
    with tracer.start_as_current_span("invoke_agent weather-agent", attributes=agent) as run:
        request = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
        with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT, attributes=request) as call:
            question = [
                {"role": "user", "parts": [{"type": "text", "content": "Do I need an umbrella in Ghent? Write to maren@example.com."}]}
            ]
            call.set_attribute("gen_ai.input.messages", json.dumps(question))
            call.set_attribute("gen_ai.usage.input_tokens", 41)
            call.set_attribute("gen_ai.usage.output_tokens", 17)
            call.set_attribute("gen_ai.response.finish_reasons", ["tool_calls"])
        lookup = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "forecast", "gen_ai.tool.call.id": "call-1"}
        with tracer.start_as_current_span("execute_tool forecast", attributes=lookup) as tool:
            tool.set_attribute("gen_ai.tool.call.arguments", json.dumps({"city": "Ghent"}))
            tool.set_attribute("gen_ai.tool.call.result", json.dumps({"rain": 0.8}))
        trace_id = trace.format_trace_id(run.get_span_context().trace_id)
    provider.shutdown()
    print(f"sent; look at it with: auditlake run {trace_id}")


if __name__ == "__main__":
    main()
