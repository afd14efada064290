"""Distances between the results of two computations."""

import numpy as np


def relative_difference(ours, theirs):
    """Largest |a - b| over largest |b|; shapes have to be the same."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, f"shapes differ: {ours.shape} and {theirs.shape}"
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def report(title, differences):
    """Prints every relative difference and the largest one, which it returns (`pytest -s`)."""
    largest = max(differences.values())
    print()
    for name, difference in differences.items():
        print(f"{title} {name}: {difference:.2e}")
    print(f"{title}: largest relative difference {largest:.2e}")
    return largest
