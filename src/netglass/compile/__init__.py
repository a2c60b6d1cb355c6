"""From a snapshot of intent to one host's desired state; pure."""
