// For pages: puts a client that speaks gRPC-Web, and what its errors say, on globalThis.
import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { refusal } from "./client.ts";
import { EnrollmentService } from "./generated/enrollment/v1/enrollment_pb.js";

function enrollment(baseUrl: string): Client<typeof EnrollmentService> {
  return createClient(EnrollmentService, createGrpcWebTransport({ baseUrl }));
}

Object.assign(globalThis, { enrollment, refusal });
