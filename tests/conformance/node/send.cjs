// Sends two spans, two log records and two data points with the official exporters: node send.cjs {grpc|http|proto} HTTP_URL GRPC_URL NAME
// What the exporters log goes to stderr; stdout gets one line of JSON with the result of each signal. NODE_PATH says where the modules are.
"use strict";

const { diag, DiagLogLevel } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const sdkLogs = require("@opentelemetry/sdk-logs");
const sdkMetrics = require("@opentelemetry/sdk-metrics");
const sdkTrace = require("@opentelemetry/sdk-trace");

const [protocol, httpUrl, grpcUrl, name] = process.argv.slice(2);
const say = (...words) => console.error(...words);
diag.setLogger({ error: say, warn: say, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);

const results = {};

function exporter(kind, className, path) {
  const Exporter = require(`@opentelemetry/exporter-${kind}-otlp-${protocol}`)[className];
  const made = new Exporter({ url: protocol === "grpc" ? grpcUrl : httpUrl + path, timeoutMillis: 10000, compression: "gzip" });
  const send = made.export.bind(made);
  made.export = (items, done) => send(items, (result) => { results[kind] = { code: result.code, error: result.error?.message }; done(result); });
  return made;
}

async function main() {
  const resource = resourceFromAttributes({ "service.name": name });
  const tracing = new sdkTrace.TracerProvider({
    resource, spanProcessors: [new sdkTrace.BatchSpanProcessor({ exporter: exporter("trace", "OTLPTraceExporter", "/v1/traces") })],
  });
  const tracer = tracing.getTracer("conformance", "1.0.0");
  const outer = tracer.startSpan(`${name} outer`, { attributes: { text: "x", number: 7, float: 0.5, flag: true, list: ["a", "b"] } });
  tracer.startSpan(`${name} inner`, { kind: 3 }).addEvent("event", { a: 1 }).setStatus({ code: 2, message: "broken" }).end();
  outer.end();

  const logging = new sdkLogs.LoggerProvider({
    resource, processors: [new sdkLogs.BatchLogRecordProcessor({ exporter: exporter("logs", "OTLPLogExporter", "/v1/logs") })],
  });
  const logger = logging.getLogger("conformance", "1.0.0");
  logger.emit({ severityNumber: 9, severityText: "INFO", body: `${name} body`, attributes: { deep: { list: [1, "two", { three: 3 }] } } });
  logger.emit({ eventName: `${name}.event`, body: { kind: "map", bytes: new Uint8Array([1, 2, 255]) } });

  const metering = new sdkMetrics.MeterProvider({
    resource,
    readers: [new sdkMetrics.PeriodicExportingMetricReader({ exporter: exporter("metrics", "OTLPMetricExporter", "/v1/metrics"), exportIntervalMillis: 60000 })],
  });
  const meter = metering.getMeter("conformance", "1.0.0");
  meter.createCounter(`${name}.counter`).add(3, { a: "b" });
  meter.createHistogram(`${name}.histogram`, { unit: "s" }).record(0.25);

  await Promise.all([tracing.shutdown(), logging.shutdown(), metering.shutdown()]);
  console.log(JSON.stringify(results));
}

main();
