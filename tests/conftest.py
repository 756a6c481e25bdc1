"""Prepare the tests: import the package before MXNet, keep Ctrl-C working, make hypothesis deterministic."""

import signal

import hypothesis

import freqcnn_gluon  # noqa: F401

# A process that a shell starts in the background ignores Ctrl-C, and so do the processes that it starts. The
# tests interrupt some of theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("here", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("here")
