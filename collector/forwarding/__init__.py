"""The redacted copy onward to other OTLP backends: a persistent queue of WAL segments per exporter, and a process that works it off."""
