"""A process of callers: each associates the student "ada" with the same courses, at once.

Run with an address, a number of callers, and courses. Says when it is ready, begins when
it is sent a line, and prints, for each call, the outcomes and times as JSON.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from enrollment import EnrollmentClient


def main(address: str, callers: str, *courses: str) -> None:
    with (
        EnrollmentClient(address, timeout=30, retry=None) as client,
        ThreadPoolExecutor(int(callers)) as threads,
    ):
        list(client.list_student_courses("ada"))  # connects
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        calls = [
            threads.submit(client.associate_courses, "ada", courses) for _ in range(int(callers))
        ]
        answers = [
            [[a.outcome.name, a.create_time.isoformat()] for a in call.result()] for call in calls
        ]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
