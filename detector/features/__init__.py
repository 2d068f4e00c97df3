"""An event placed against memory: what is new, what deviates, and by how much."""
