"""The command line as the tests call it: in this process, which saves the start of TensorFlow."""

import pytest
from tf_inverse.tools import cli


def run(*arguments):
    """Runs tf-inverse and returns its exit code."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    return stopped.value.code
