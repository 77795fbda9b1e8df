"""The audit log: who did what, where, and which line let them; durable before the effect and chained by hashes."""
