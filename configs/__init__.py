"""Runs, as files: `<dataset>_<method>.py`, each a function `get_config(variant)`."""
