"""The Faust worker: the only floor where the product knows Kafka, asyncio and Prometheus."""
