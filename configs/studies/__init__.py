"""The studies: many trainings, compared."""
