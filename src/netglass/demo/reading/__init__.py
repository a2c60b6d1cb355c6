"""Reads what commands print, as an eye would: text in, values out; pure.

Every function here was tried on output recorded from the real command (``tests/unit/demo/recorded``).
"""
