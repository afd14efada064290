"""Augmentations on the device: pure functions of (key, fields)."""
