"""How alerts leave the house: renderings (what is said) and transports (how it travels)."""
