"""Checkpoints that every later version reads."""
