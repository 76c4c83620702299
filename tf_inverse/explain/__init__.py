"""Which parts of a stored image drive a neuron: three attributions, and where they are kept."""
