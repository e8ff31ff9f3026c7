"""One module a stage: a pure function from input folders, settings and a seed to one folder."""
