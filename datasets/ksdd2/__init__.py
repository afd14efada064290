"""KolektorSDD2: surfaces of electrical parts, with and without defects."""
