"""The server as it is, but for a count of its statements: `counted FILE serve ...`."""

import sys

from bench.statements import count_statements
from enrollment_server.cli import main

if __name__ == "__main__":
    count_statements(sys.argv[1])
    main(sys.argv[2:])
