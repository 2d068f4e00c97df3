"""What agents and enforcement points embed: light, and knowing only the schema."""
