"""gRPC and protobuf: decode, validate, call the service, encode."""
