"""OpenTelemetry in: what agents already emit, as native events; pure and deterministic, and nothing is lost silently."""
