"""Which files are the store: CURRENT, the manifests, shared.map, the locks, file numbers."""
