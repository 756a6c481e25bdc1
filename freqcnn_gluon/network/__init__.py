"""The paper: FreqCNN layer for layer, its ablations, and the networks beside it."""
