"""Dataset builders: from raw archives and folders to TFDS array_record datasets.

Each sub-package is one dataset in TFDS's own folder layout. None of them needs TensorFlow, and
every one of them checks all of its files before it writes the first example.
"""
