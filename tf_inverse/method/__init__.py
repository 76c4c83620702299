"""The method of the paper, in reading order, and the sampler that runs it."""
