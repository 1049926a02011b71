// node call.ts BASE_URL METHOD REQUEST
//
// Makes one call through the generated stub, by gRPC. Request, response and error are JSON;
// an error goes to standard error.
import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { refusal } from "./client.ts";
import { EnrollmentService } from "./generated/enrollment/v1/enrollment_pb.js";

const [baseUrl = "", method = "", request = ""] = process.argv.slice(2);
const client = createClient(EnrollmentService, createGrpcTransport({ baseUrl }));
const { associateCourses, listStudentCourses, removeCourse } = EnrollmentService.method;

const calls: Record<string, (json: JsonValue) => Promise<JsonValue>> = {
  AssociateCourses: async (json) =>
    toJson(
      associateCourses.output,
      await client.associateCourses(fromJson(associateCourses.input, json)),
    ),
  ListStudentCourses: async (json) =>
    toJson(
      listStudentCourses.output,
      await client.listStudentCourses(fromJson(listStudentCourses.input, json)),
    ),
  RemoveCourse: async (json) =>
    toJson(removeCourse.output, await client.removeCourse(fromJson(removeCourse.input, json))),
};

try {
  console.log(JSON.stringify(await calls[method]!(JSON.parse(request))));
} catch (error) {
  console.error(JSON.stringify(refusal(error)));
  process.exitCode = 1;
}
