"""Networks as pure functions of their variables; they know nothing of methods."""
