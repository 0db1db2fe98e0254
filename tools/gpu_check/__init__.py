"""What tools/gpu-check is made of: the machine, running programs on it, the parts, and the report."""
