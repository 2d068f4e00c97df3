"""A made-up fleet with attacks, the detector at work on it, and a summary that tells."""
