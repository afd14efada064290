"""The signals that ask a run to stop."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_S = 2.0
"""Seconds within which a second signal counts as the first one, sent twice."""
