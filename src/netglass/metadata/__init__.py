"""The metadata agent of a network host: between the metadata proxies in namespaces and the server's metadata API."""
