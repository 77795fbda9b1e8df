"""What a change of the policy files would do: to reach, to the publish gate, to stored memories, to past requests."""
