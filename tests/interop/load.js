// A mixed load for k6, with every answer checked:
//
//   k6 run -e ADDRESS=HOST:PORT -e IMPORTS=FOLDER:FOLDER --vus N --duration 10s load.js
//
// IMPORTS are where the contract is found, and what it imports. Each virtual user calls about
// a student of its own, `k6-1` and so on, who takes no course before and after an iteration:
// so every answer is known beforehand, all but the times.
import { check } from "k6";
import grpc from "k6/net/grpc";

export const options = { thresholds: { checks: ["rate==1"] } };

const client = new grpc.Client();
client.load(__ENV.IMPORTS.split(":"), "enrollment/v1/enrollment.proto");

const ALGEBRA = { id: "algebra", code: "MAT 210", title: "Linear Algebra" };
const CHESS = { id: "chess", code: "", title: "Chess" };

export default function () {
  if (__ITER === 0) {
    client.connect(__ENV.ADDRESS, { plaintext: true });
  }
  const student_id = `k6-${__VU}`;

  const none = call("ListStudentCourses", { student_id });
  is("ListStudentCourses: of none", none, { courses: [], nextPageToken: "" });

  const made = call("AssociateCourses", { student_id, course_ids: ["chess", "algebra"] });
  const [chess, algebra] = made.associations.map(({ createTime }) => String(createTime));
  is("AssociateCourses: of new ones", made, {
    associations: [
      { courseId: "chess", outcome: "OUTCOME_CREATED", createTime: chess },
      { courseId: "algebra", outcome: "OUTCOME_CREATED", createTime: algebra },
    ],
  });

  const again = call("AssociateCourses", { student_id, course_ids: ["chess"] });
  is("AssociateCourses: once more", again, {
    associations: [{ courseId: "chess", outcome: "OUTCOME_ALREADY_ASSOCIATED", createTime: chess }],
  });

  const unknown = call("AssociateCourses", { student_id, course_ids: ["x", "chess", "y"] });
  const named = { course_ids: "x,y" };
  is("AssociateCourses: of unknown ones", unknown, notFound("COURSE_NOT_FOUND", named));

  const malformed = call("AssociateCourses", { student_id, course_ids: ["chess", "a b", ""] });
  is("AssociateCourses: of what are no ids", malformed, {
    status: Number(grpc.StatusInvalidArgument),
    details: [
      errorInfo("INVALID_REQUEST", {}),
      {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        fieldViolations: [
          violation("course_ids[1]", "is not an id"),
          violation("course_ids[2]", "is required"),
        ],
      },
    ],
  });

  const first = call("ListStudentCourses", { student_id, page_size: 1 });
  is("ListStudentCourses: first page", first, {
    courses: [{ course: ALGEBRA, createTime: algebra }],
    nextPageToken: String(first.nextPageToken),
  });

  const page_token = first.nextPageToken;
  const last = call("ListStudentCourses", { student_id, page_size: 1, page_token });
  is("ListStudentCourses: last page", last, {
    courses: [{ course: CHESS, createTime: chess }],
    nextPageToken: "",
  });

  const nobody = { student_id: "eve" };
  const refused = call("ListStudentCourses", nobody);
  is("ListStudentCourses: of nobody", refused, notFound("STUDENT_NOT_FOUND", nobody));

  for (const course_id of ["chess", "algebra"]) {
    const removed = call("RemoveCourse", { student_id, course_id });
    is("RemoveCourse: of one that is taken", removed, { removed: true });
  }

  const gone = { student_id, course_id: "chess" };
  const missing = call("RemoveCourse", gone);
  is("RemoveCourse: once more", missing, notFound("COURSE_NOT_ASSOCIATED", gone));
}

/** The response, or what is told of an error. */
function call(method, request) {
  const { status, message, error } = client.invoke(
    `enrollment.v1.EnrollmentService/${method}`,
    request,
  );
  // As an object, which it is, any status would be written as {}.
  return status === grpc.StatusOK ? message : { status: Number(status), details: error.details };
}

function notFound(reason, metadata) {
  return { status: Number(grpc.StatusNotFound), details: [errorInfo(reason, metadata)] };
}

function errorInfo(reason, metadata) {
  const type = "type.googleapis.com/google.rpc.ErrorInfo";
  return { "@type": type, domain: "enrollment.v1", reason, metadata };
}

function violation(field, description) {
  return { field, description, reason: "", localizedMessage: null };
}

function is(what, got, expected) {
  if (!check(got, { [what]: () => canonical(got) === canonical(expected) })) {
    console.error(`${what}: ${canonical(got)}, not ${canonical(expected)}`);
  }
}

/** As text, keys in order. */
function canonical(value) {
  return JSON.stringify(value, (_, part) =>
    part && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort())
      : part,
  );
}
