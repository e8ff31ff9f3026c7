"""Does synthesis help a detector, by how much, and how sure is that: arms, detector, paired seeds, operating points, intervals.

Figures (`predictions`, `average_precision`, `statistics`, `summary`) need numpy only; `detector` and `backbone` import torch.
"""
