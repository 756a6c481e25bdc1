"""Errors, commands, files, processes and progress bars, for all. Standard library, tqdm and joblib."""
