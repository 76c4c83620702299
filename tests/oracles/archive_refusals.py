"""Opens and reads archives, each in a child of its own, and reports how each was refused.

    python archive_refusals.py PATH ...

Prints a JSON list: {"refused": message or null, "seconds": of the CPU, "MB": peak memory,
"status": exit}.
"""

import json
import os
import resource
import sys
import time

from tf_inverse import archive
from tf_inverse.errors import RefusedInput


def read(path):
    with archive.open(path) as opened:
        for name in opened.columns:
            column = getattr(opened, name)
            for i in range(0, len(column), 64):
                column[i : i + 64]


def attempt(path, into):
    start, refused = time.process_time(), None
    try:
        read(path)
    except RefusedInput as error:
        refused = str(error)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    os.write(into, json.dumps({"refused": refused, "seconds": seconds, "MB": peak}).encode())


def main():
    results = []
    for path in sys.argv[1:]:
        out, into = os.pipe()
        child = os.fork()
        if not child:
            attempt(path, into)
            os._exit(0)
        os.close(into)
        with open(out) as file:
            text = file.read()
        status = os.waitpid(child, 0)[1]
        results.append((json.loads(text) if text else {}) | {"status": status})
    print(json.dumps(results))


if __name__ == "__main__":
    main()
