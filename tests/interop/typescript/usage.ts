// Not run, but compiled: the compiler has to know what callers may write, and what not.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { refusal } from "./client.ts";
import {
  CourseAssociation_Outcome,
  EnrollmentService,
} from "./generated/enrollment/v1/enrollment_pb.js";

export async function enrol(transport: Transport, studentId: string): Promise<Map<string, Date>> {
  const client = createClient(EnrollmentService, transport);
  const { associations } = await client.associateCourses({ studentId, courseIds: ["chess"] });
  const made = associations.filter(({ outcome }) => outcome === CourseAssociation_Outcome.CREATED);
  const { courses, nextPageToken } = await client.listStudentCourses({ studentId, pageSize: 5 });
  const { removed } = await client.removeCourse({ studentId, courseId: "go", allowMissing: true });
  console.log(removed satisfies boolean, nextPageToken satisfies string, courses[0]?.course?.title);

  // @ts-expect-error a field is named as TypeScript names things
  await client.associateCourses({ student_id: studentId });
  // @ts-expect-error several courses, not one
  await client.associateCourses({ studentId, courseIds: "chess" });
  // @ts-expect-error a number
  await client.listStudentCourses({ studentId, pageSize: "5" });
  // @ts-expect-error a message may be missing
  console.log(courses[0].course.title);
  // @ts-expect-error no such outcome
  console.log(CourseAssociation_Outcome.REMOVED);
  // @ts-expect-error no such method
  await client.dropCourse({ studentId });

  return new Map(
    made.flatMap(({ courseId, createTime }) =>
      createTime ? [[courseId, timestampDate(createTime)] as const] : [],
    ),
  );
}

export const reason: string = refusal(new Error()).reason;
