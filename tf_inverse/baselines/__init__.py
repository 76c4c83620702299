"""Other ways to see what excites a neuron, on the same networks, into the same archives."""
