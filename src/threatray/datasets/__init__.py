"""Scans on disk: reading and writing their formats, inspecting, splitting and converting them."""
