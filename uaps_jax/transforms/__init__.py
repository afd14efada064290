"""Views, made on the device: pure functions of (key, image, mask)."""
