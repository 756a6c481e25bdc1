"""What must come before MXNet is imported anywhere in the tests; the same draws every time, at any speed."""

import signal

import hypothesis

import freqcnn_gluon  # noqa: F401

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("here", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("here")
