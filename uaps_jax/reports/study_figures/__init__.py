"""The figures of a study, a file a kind: curves over a number, bars, decoders, segmented images."""
