"""Policy tests: what the policy files are meant to say, as data beside them, and how much of them that exercises."""
