// What every program here shares, whatever carries its calls.
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "./generated/google/rpc/error_details_pb.js";

/** An error and its details, as plain values. */
export interface Refusal {
  code: string;
  message: string;
  reason: string;
  domain: string;
  metadata: Record<string, string>;
  violations: { field: string; description: string }[];
}

/** What a call threw. What did not come from the service has no reason. */
export function refusal(thrown: unknown): Refusal {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(ErrorInfoSchema);
  const [request] = error.findDetails(BadRequestSchema);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    violations: (request?.fieldViolations ?? []).map(({ field, description }) => ({
      field,
      description,
    })),
  };
}
