"""The `auditlake` command: the only place that reads argv and the environment, configures logging, and exits."""
