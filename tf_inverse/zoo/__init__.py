"""Networks of the paper, the names of their classes, and the pairs that come with the package."""
