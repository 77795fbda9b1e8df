"""``scopegate policy``: one module for each command or pair of commands."""

import typer

from proxy.cli.policy import check, diff, explain, fmt, running, schema, simulate, test, what, who

app = typer.Typer(
    help="Check, test, explain and compare policy files, and see which are in force.", no_args_is_help=True
)
app.command("check")(check.check)
app.command("test")(test.run_tests)
app.command("explain")(explain.explain)
app.command("who")(who.who)
app.command("what")(what.what)
app.command("diff")(diff.diff)
app.command("fmt")(fmt.fmt)
app.command("schema")(schema.schema)
app.command("simulate")(simulate.simulate)
app.command("status")(running.status)
app.command("reload")(running.reload)
