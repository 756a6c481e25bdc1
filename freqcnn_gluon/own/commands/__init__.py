"""The commands of `freqcnn`, a module each; its `add` adds the command to the parser.

Modules that take long to import are imported when the command runs, so that --help is instant.
"""
