"""From one sample to a verdict: sessions, batching lanes, detectors, text engine, policy, synchronous HTTP."""
