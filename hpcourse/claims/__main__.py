"""``python -m hpcourse.claims``: list claims, show stored evidence, measure anew."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpcourse.claims.registry import claims
from hpcourse.claims.runner import load, profile, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        for line in options.command(options):
            print(line, flush=True)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hpcourse.claims", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="list | show | run")
    for name, command, help_text in (
        ("list", _list, "all claims"),
        ("show", _show, "the stored evidence of claims"),
        ("run", _run, "measure claims and write their evidence"),
    ):
        sub = commands.add_parser(name, help=help_text)
        sub.set_defaults(command=command)
        if name != "list":
            sub.add_argument("ids", nargs="+", metavar="ID", help="ids of claims")
            sub.add_argument("--folder", type=Path, default=Path("book/evidence"))
        if name == "run":
            sub.add_argument("--profile", help="quick or full (default: HPCOURSE_PROFILE or quick)")
    return parser


def _list(_: argparse.Namespace) -> list[str]:
    return [f"{claim.id}: {claim.statement} ({claim.source})" for claim in claims().values()]


def _show(options: argparse.Namespace) -> list[str]:
    return [load(claim_id, options.folder).summary() for claim_id in options.ids]


def _run(options: argparse.Namespace) -> Iterator[str]:
    for claim_id in options.ids:
        evidence = run(claim_id, options.profile or profile())
        yield f"{evidence.summary()} -> {evidence.write(options.folder)}"


if __name__ == "__main__":
    sys.exit(main())
