"""Who calls, and what they may do: tokens and the policy. No gRPC."""
