"""How unequal a dataset is, and the plan of composites that makes it less so."""
