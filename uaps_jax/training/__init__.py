"""Training: one jitted step, the loop around it, and what is kept of it."""
