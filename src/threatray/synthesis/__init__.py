"""Photos to X-ray signatures: CycleGAN for masked objects, its checkpoints, and the gate behind it.

Import the modules you need (``threatray.synthesis.train``, ``.translate``, ...): this package itself stays free of torch.
"""
