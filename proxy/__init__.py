"""The gateway: authenticate, authorise, inspect, record, forward."""
