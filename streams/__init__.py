"""From a live room to an alert: sources, decoding, rooms, violations, evidence, outbox, Kafka, console, command line."""
