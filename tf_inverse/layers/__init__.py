"""Keras layers that Keras itself lacks, their fast forms, and taps of what is inside a model."""
