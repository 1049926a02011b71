"""The rules, in plain Python types: no gRPC, no SQL."""
