"""How other systems are told of a run: Prometheus, OpenTelemetry, a webhook."""
