"""What crosses a wire: events in, alerts and commands out."""
