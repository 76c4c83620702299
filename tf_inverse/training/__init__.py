"""Training of the shipped pair, and of a generator for any Keras classifier."""
