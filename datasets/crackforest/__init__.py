"""CrackForest: photographs of asphalt, cracks marked in most of them."""
