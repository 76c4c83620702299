"""PyTorch's weight files read without PyTorch, and without running any code out of them.

`checkpoint` opens such a file, `zip_entries` finds what lies where in it, `pickle_stream`
interprets its pickle, and `tensors` checks what the pickle says of storages and tensors.
"""
