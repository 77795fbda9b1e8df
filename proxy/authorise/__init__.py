"""Authorisation: strict policy files, Casbin's verdicts with the lines that decided them, and the only permits."""
