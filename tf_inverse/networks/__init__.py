"""What is sampled: a pair of networks, its codes and statistics, and how it lies on disk."""
