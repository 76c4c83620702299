"""tf-inverse fetch: public weight files into the cache."""

from tf_inverse import fetch as fetching


def fetch(*names: str) -> None:
    """Downloads public weight files, checked, into the cache folder, where convert finds them.

    The folder is $TF_INVERSE_CACHE, or tf_inverse in the user's cache folder.

    Args:
        names: caffenet, alexnet, places205, generator, generator-fc6, generator-fc7,
            generator-pool5, matconvnet or mean.
    """
    if not names:
        raise fetching.UsageError(f"expected one or more of {', '.join(fetching.SOURCES)} to fetch")
    for name in names:
        print(fetching.fetch(name).path)
