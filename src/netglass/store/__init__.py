"""Intent on disk: SQL, the change log, and what hosts report."""
