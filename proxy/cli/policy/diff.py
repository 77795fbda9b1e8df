"""``scopegate policy diff``: what a change of the policy files does, exactly, before it is merged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from proxy.authorise.regions import RegionLimitError
from proxy.cli.local import open_records, run
from proxy.cli.output import EXIT_POLICY, fail, print_json, refuse_policy
from proxy.cli.policy.impacttext import as_markdown, as_text
from proxy.database import FILE_NAME
from proxy.errors import PolicyError
from proxy.impact.difference import Difference
from proxy.impact.replay import Replay, replay
from proxy.impact.report import Impact, compare
from proxy.impact.stored import Inspector, StoredChange, StoredImpact
from proxy.impact.version import Version, VersionError, read_version
from proxy.inspection.detector import Detector
from proxy.moments import utc_now
from store.errors import DatasetLocked, StoreError
from store.scope import EMPTY

EXIT_GAINED = 2


class Layout(StrEnum):
    """How a difference is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


_Version = "a folder, or REV:path in git, such as main:policies"


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"The files as they are: {_Version}.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help=f"The files as they would be: {_Version}.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Data folder of a stopped gateway: count the stored memories concerned."),
    ] = None,
    replay_: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            envvar="SCOPEGATE_POLICY_DIFF_REPLAY",
            metavar="DIR",
            help="Data folder: decide the requests of its audit log again.",
        ),
    ] = None,
    inspect_at_most: Annotated[
        int, typer.Option(min=0, help="With --data, how many memories to search for PII.")
    ] = 10_000,
    output: Annotated[
        Layout,
        typer.Option("--format", envvar="SCOPEGATE_POLICY_DIFF_FORMAT", help="markdown is the body of a comment."),
    ] = Layout.TEXT,
) -> None:
    """Show exactly who gains or loses which action on which scopes, and what weakens the publish gate.

    Ends with 0 when nothing is gained, 2 when anybody gains anything or the publish gate lets more through, 3 when the
    files of one side are refused. It prints counts, names and patterns; never content.
    """
    detector = _detector()
    before, after = (_version(name, detector.supported) for name in (old, new))
    try:
        difference, impact = compare(before, after)
        if data is not None:
            impact = replace(impact, stored=run(_stored(data, difference, impact, detector, inspect_at_most)))
    except RegionLimitError as error:
        fail(str(error), EXIT_POLICY)
    except DatasetLocked:
        fail(f"{data} is held by a running gateway; stop it, or point --data at a copy of the folder")
    except StoreError as error:
        fail(str(error))
    if replay_ is not None:
        impact = replace(impact, replayed=run(_replayed(replay_, after)))
    _show(impact, output)
    if impact.is_risky:
        raise typer.Exit(EXIT_GAINED)


def _show(impact: Impact, output: Layout) -> None:
    match output:
        case Layout.JSON:
            print_json(impact.as_dict())
        case Layout.MARKDOWN:
            typer.echo(as_markdown(impact))
        case Layout.TEXT:
            typer.echo(as_text(impact))


def _detector() -> Detector:
    from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    return PresidioDetector()


def _version(name: str, supported: Collection[str]) -> Version:
    try:
        return read_version(name, supported, utc_now())
    except VersionError as error:
        fail(str(error))
    except PolicyError as error:
        refuse_policy(error)


async def _stored(
    data: Path, difference: Difference, impact: Impact, detector: Detector, inspect_at_most: int
) -> tuple[StoredChange, ...]:
    from proxy.app import MEMORIES_FOLDER, open_store  # noqa: PLC0415 - as above

    if not (data / FILE_NAME).exists():
        fail(f"{data} holds no Scopegate data; name the right folder with --data")
    store = await open_store(data / MEMORIES_FOLDER, impact.old.policies.config)
    try:
        async with open_records(data) as records:
            await records.record("policy_diff", EMPTY, utc_now())
        inspector = Inspector(detector, impact.old.policies.pii)
        return await StoredImpact(store, impact.old, impact.new, inspector, inspect_at_most).changes(difference)
    finally:
        await store.close()


async def _replayed(data: Path, after: Version) -> Replay:
    async with open_records(data) as records:
        return await replay(records.audit, after.policies.authoriser.policy)
