"""Mean-field inference in fully connected conditional random fields."""
