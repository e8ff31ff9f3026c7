"""The stage graph: what `run` and `demo` carry out; resume, progress, parallel work."""
