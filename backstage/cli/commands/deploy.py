"""`backstage deploy`, `rollback` and `releases`."""

from __future__ import annotations

import time

import click

from ...layout import releases as records
from ...operations.deploy import deploy as deploy_act
from ...operations.deploy import live_name
from ...operations.deploy import rollback as rollback_act
from ..deploying import progress, told
from ..exits import Exit
from ..options import act_argument, command
from ..results import Document, Result
from ..session import Session
from ..terminal.screen import Screen, harmless

_EXITS = (Exit.FAILED, Exit.REFUSED, Exit.PORT, Exit.SYSTEM, Exit.LATE, Exit.BUSY, Exit.CHECK)
_EXAMPLES = """
backstage deploy shop
backstage deploy shop --ref v1.5
"""


@command("deploy", examples=_EXAMPLES, exits=_EXITS)
@act_argument
@click.option("--ref", default="", metavar="REF", help="A branch, tag or commit of the source.")
def deploy(session: Session, act_name: str, ref: str) -> Result:
    """Make a new release of an adopted Act live.

    Its code is fetched, what it needs is installed beside the live release, and it is tried. Then
    it takes over, without a failed request. If anything fails, the former release serves on.
    """
    act = session.act(act_name)
    return told(act, deploy_act(act, ref=ref, tell=progress(session)))


@command("rollback", examples="backstage rollback shop", exits=_EXITS)
@act_argument
@click.argument("release", default="", required=False)
def rollback(session: Session, act_name: str, release: str) -> Result:
    """Make a former release live again.

    Its code, its packages and its .env come back in one switch, without a failed request. RELEASE
    is one that `backstage releases` lists; by default, the last good one before the live one.
    """
    act = session.act(act_name)
    return told(act, rollback_act(act, release))


@command("releases", examples="backstage releases shop")
@act_argument
def releases(session: Session, act_name: str) -> Result:
    """List the releases of an Act.

    The live one is marked with ●, one that failed with ✗ and the reason.
    """
    act = session.act(act_name)
    known, live = records.known(act.paths), live_name(act)
    documents: list[Document] = [
        {
            **{"release": each.id, "live": each.id == live, "outcome": str(each.outcome)},
            **{"source": each.source, "ref": each.ref or None, "commit": each.commit or None},
            **{"at": each.at, "by": each.by, "reason": each.reason or None},
            "seconds": dict(each.seconds),
        }
        for each in known
    ]

    def show(screen: Screen) -> None:
        for each in known:
            mark = "●" if each.id == live else "✗" if each.reason else "○"
            at = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.at))
            what = " ".join(filter(None, [each.ref, each.commit[:7], f"by {each.by}"]))
            screen.line(harmless(f"{mark} {each.id}  {at}  {what}  {each.reason}".rstrip()))

    return Result({"act": act_name, "releases": documents}, show)
