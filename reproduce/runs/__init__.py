"""Runs: what decides a result, how it is done, and the report.json that holds it."""
