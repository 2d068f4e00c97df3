"""OpenTelemetry in: what agents already emit, as native events; pure, and nothing is lost silently."""
