"""The memory of one partition: how it grows, how it is written down and read back."""
