"""Code generated from `protos/enrollment/v1/enrollment.proto`."""
