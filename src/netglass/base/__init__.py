"""Leaf package: errors, identifiers and small values, with no knowledge of networks."""
