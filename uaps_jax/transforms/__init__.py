"""Random changes of training images, made on the device: pure functions of (key, fields)."""
