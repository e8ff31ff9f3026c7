"""Threat image projection: taking a threat's transmission out of a scan, varying it, and multiplying it into a bag."""
