"""What the SOC looks at in a terminal: alerts by incident, dead letters, the state of a deployment."""
