"""``scopegate policy``: one module for each command or pair of commands."""

import typer

from proxy.cli.policy import check, diff, running, simulate, what, who

app = typer.Typer(help="Check policy files, ask what they say, and see which are in force.", no_args_is_help=True)
app.command("check")(check.check)
app.command("who")(who.who)
app.command("what")(what.what)
app.command("diff")(diff.diff)
app.command("simulate")(simulate.simulate)
app.command("status")(running.status)
app.command("reload")(running.reload)
