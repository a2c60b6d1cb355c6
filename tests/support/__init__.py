"""What tests of several kinds share; on the path by ``pythonpath`` in pyproject.toml."""
