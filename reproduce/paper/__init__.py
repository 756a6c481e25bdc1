"""The paper: its published numbers, its claims, and the audit of both."""
