"""``scopegate policy``: one module for each command or pair of commands."""

import typer

from proxy.cli.policy import check, explain, fmt, running, schema, test

app = typer.Typer(help="Check, test and explain policy files, and see which are in force.", no_args_is_help=True)
app.command("check")(check.check)
app.command("test")(test.run_tests)
app.command("explain")(explain.explain)
app.command("fmt")(fmt.fmt)
app.command("schema")(schema.schema)
app.command("status")(running.status)
app.command("reload")(running.reload)
