"""What events say of the inventory: who was seen, what was used, what the rest would cost to leave."""
