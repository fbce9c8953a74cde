"""Emulated clusters: nodes as network namespaces, links that are slowed."""
