"""What must come before MXNet is imported anywhere in the tests."""

import freqcnn_gluon  # noqa: F401
