"""Runs: their identity, their execution, and their reports."""
