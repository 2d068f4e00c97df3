"""What is measured of an event, in families: values, sequence, numbers; one catalogue entry a channel."""
