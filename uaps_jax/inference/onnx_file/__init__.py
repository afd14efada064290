"""A trained model as an ONNX file: `model` makes it, `walk` translates a network."""
