"""The HTTP edge: Networking v2.0, Identity v3, Compute v2.1, Image v2 and the feed to agents, on one port."""
