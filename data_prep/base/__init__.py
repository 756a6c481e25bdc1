"""Errors, commands, files, processes and progress bars, for every package. Standard library and tqdm only."""
