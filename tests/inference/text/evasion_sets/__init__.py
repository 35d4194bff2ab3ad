"""Disguised terms, ordinary sentences that resemble them, and the generator of the former; data and its readers only."""
