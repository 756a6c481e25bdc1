"""Synthesised speech in the layout of each corpus, so that everything runs without a corpus.

A stand-in is always marked as one: its folder holds STAND-IN.json, and results computed from it are kept
apart from results of real recordings.
"""
