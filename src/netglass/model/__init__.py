"""Intent as frozen values: the rows users and operators ask for, and the snapshot of all of them at one revision."""
