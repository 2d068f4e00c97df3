"""What is remembered: rows per agent, tables per peer group, snapshot and restore."""
