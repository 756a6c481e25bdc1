"""What must come before MXNet is imported anywhere in the tests; the same draws every time, at any speed."""

import hypothesis

import freqcnn_gluon  # noqa: F401

hypothesis.settings.register_profile("here", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("here")
