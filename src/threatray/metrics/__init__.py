"""Judging made signatures: distances between sets, likeness to a truth, silhouettes, memorisation.

Import the module you need; this package itself stays free of torch.
"""
