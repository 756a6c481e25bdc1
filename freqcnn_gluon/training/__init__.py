"""Training: one loop for every network, its settings, memory, checkpoints and workers."""
