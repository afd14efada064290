"""Dataset builders: raw archives and folders in, TFDS array_record datasets out.

Each sub-package is one dataset in TFDS's own folder layout. None of them needs TensorFlow, and
every one of them checks all of its files before it writes the first example.

This is a plain package that is used from the root of the project. It is not meant to be installed
on its own, where its name would hide other packages called `datasets`.
"""
