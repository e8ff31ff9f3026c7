"""threatray: threat signatures from photos, projected into X-ray scans, and the proof of what it is worth."""

__version__ = "0.1.0"
