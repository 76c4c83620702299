"""tf-inverse fetch: public weight files into the cache."""


def fetch(*names: str, list: bool = False, from_: str | None = None) -> None:
    """Downloads public weight files, checked, into the cache folder; or lists them.

    What --network=NAME needs and lacks is fetched by itself: this fetches it beforehand. The folder
    is $TF_INVERSE_CACHE, or tf_inverse in the user's cache folder. $TF_INVERSE_MIRROR, an address,
    is where files are looked for first.

    Examples:
        tf-inverse fetch --list
        tf-inverse fetch deepsim-fc6 --from=fc6.zip

    Args:
        names: Networks, as caffenet or places205, or files, as deepsim-fc6: see --list.
        list: Show all networks and files, and what of them is here.
        from_: File in the place of a download, checked in the same way; --from=FILE.
    """
    from tf_inverse.caffe import fetch as fetching
    from tf_inverse.caffe import published
    from tf_inverse.errors import UsageError

    if list:
        print(published.listing())
        return
    if not names or (from_ and len(names) != 1):
        wanted = "one name of a file with --from" if from_ else "names"
        raise UsageError(f"expected {wanted}, as in tf-inverse fetch caffenet; --list shows all")
    if from_:
        print(fetching.bring(names[0], from_).path)
        return
    parts = [part for name in names for part in published.parts(name)]
    for part in parts:
        fetching.known(part)
    for part in dict.fromkeys(parts):
        print(fetching.fetch(part).path)
