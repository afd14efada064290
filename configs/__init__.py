"""Configurations of runs: `<dataset>_<method>.py`, each with a function `get_config(variant)`."""
