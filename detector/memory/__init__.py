"""What is remembered of agents, peer groups and open sessions: layout, room, rows, clock, observations."""
