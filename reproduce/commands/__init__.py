"""The commands of ``python -m reproduce``, one module each."""
