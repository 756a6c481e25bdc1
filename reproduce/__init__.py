"""Top floor: the paper's tables, from configuration to rendered result."""
