"""How many windows a pooling layer has: a rule that the layer itself and Caffe's files share."""


def pooled_size(
    n: int, k: int, s: int, before: int = 0, after: int = 0, overhang: bool = True
) -> int:
    """Number of windows: rounded up, but none may start outside input and first pad.

    Without overhang (MatConvNet's rule, and that of Caffe's forks) rounded down: every window lies
    in the padded input.
    """
    if not overhang:
        return (n + before + after - k) // s + 1
    count = -(-(n + before + after - k) // s) + 1
    return count - 1 if (before or after) and (count - 1) * s >= n + before else count
