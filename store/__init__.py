"""Scoped vector memory: it applies a permit and never decides one."""
