"""The host agent: observe, compare, apply, again."""
