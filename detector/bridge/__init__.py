"""OpenTelemetry from Kafka to Kafka: export requests in, native events keyed by agent out, in transactions."""
