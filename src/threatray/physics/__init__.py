"""X-ray physics as pure functions on arrays: materials, tube, transmission, dual energy, noise and pseudo-colour."""
