"""The publish gate: what may enter a shared scope, and in what shape."""
