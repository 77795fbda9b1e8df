"""HTTP v1. Endpoints parse, call the gateway and answer; they decide nothing."""
