"""Errors, commands, files, processes and progress bars, for all. Each module imports what it needs."""
