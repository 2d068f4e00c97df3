"""A real one-node Apache Kafka for the demo and the tests."""
