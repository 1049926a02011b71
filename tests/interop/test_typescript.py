"""The stub that TypeScript has of the contract: compiled, and in a page's bundle."""

import json

from tests.support.serving import free_address
from tests.support.typescript import Project

PAGE = """
await import(process.argv[1]);
try {
  await enrollment(process.argv[2]).listStudentCourses({ studentId: "ada" });
} catch (error) {
  console.log(JSON.stringify(refusal(error)));
}
"""


def test_the_compiler_knows_right_from_wrong(project: Project) -> None:
    result = project.node("--run", "check")

    assert result.returncode == 0, result.stdout


def test_the_bundle_gives_a_page_a_client_and_what_its_errors_say(project: Project) -> None:
    nobody = f"http://{free_address()}"

    result = project.node("--input-type=module", "--eval", PAGE, str(project.bundle()), nobody)

    assert json.loads(result.stdout) == {
        "code": "Unknown",
        "message": "fetch failed",
        "reason": "",
        "domain": "",
        "metadata": {},
        "violations": [],
    }
