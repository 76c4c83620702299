"""What strangers see: classifiers that had no part in a run name the classes of its samples."""
