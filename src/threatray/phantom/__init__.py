"""The embedded scanner and camera: one and the same solid, in one pose, as a photo and as a dual-energy scan."""
