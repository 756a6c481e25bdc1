"""People's own speech: fit, evaluate, predict, explain, export."""
