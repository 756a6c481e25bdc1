"""The embedded default: synthesised speech in a corpus's own layout, so that everything runs with no corpus.

It stands in for a corpus and never passes for one: a folder of it carries STAND-IN.json, and what is
computed from it is kept apart from what is computed from real recordings.
"""
