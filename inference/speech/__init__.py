"""Detectors that listen to sound."""
