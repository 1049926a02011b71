"""The enrolment service: which courses a student takes, over gRPC on SQL."""
