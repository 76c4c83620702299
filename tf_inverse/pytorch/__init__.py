"""PyTorch's weight files read without PyTorch, and without running any code out of them.

`pickle_stream` understands the pickle inside such a file, `checkpoint` the file around it.
"""
