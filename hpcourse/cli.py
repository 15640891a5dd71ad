"""The command line ``hpcourse``: measure the book's claims, and tune objectives of your own."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpcourse.claims import (
    Profile,
    Report,
    check_profile,
    claims,
    describe,
    find,
    measure,
    measure_in_processes,
    profile,
    read_ledger,
    results_folder,
)
from hpcourse.search.command import add_arguments

INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the command's name; those of the process if None.

    Returns:
        The exit status: 0, 1 if a claim could not be measured or no trial was done, 2 for a bad
        request, 130 if interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (ValueError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hpcourse", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_claims(commands.add_parser("claims", help="list, show and measure the book's claims"))
    add_arguments(commands.add_parser("tune", help="search for an objective's hyperparameters"))
    return parser


def _add_claims(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="list | show | run")
    for name, command, help_text in (
        ("list", _list, "one line a claim: verdict, profile, page, source"),
        ("show", _show, "the stored evidence in words"),
        ("run", _run, "measure what has no current evidence, and store it"),
    ):
        sub = commands.add_parser(name, help=help_text)
        sub.set_defaults(command=command)
        sub.add_argument("--only", nargs="+", metavar="ID", help="these claims (default: all)")
        sub.add_argument("--folder", type=Path, help="where evidence is kept (default: the book's)")
    sub.add_argument("--profile", help="quick or full (default: HPCOURSE_PROFILE or quick)")
    sub.add_argument("--again", action="store_true", help="measure also what has current evidence")
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")


def _chosen(options: argparse.Namespace) -> list[str]:
    """Ids of the claims asked for, in the book's order."""
    known = claims()
    wanted = known if options.only is None else {find(claim_id).id for claim_id in options.only}
    return [claim_id for claim_id in known if claim_id in wanted]


def _list(options: argparse.Namespace) -> int:
    ids = _chosen(options)
    table = [
        (
            row.claim.id,
            row.verdict,
            row.evidence.profile if row.evidence else "",
            row.claim.page,
            row.claim.source,
        )
        for row in read_ledger(options.folder)
        if row.claim.id in ids
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print("  ".join(padded).rstrip())
    return 0


def _show(options: argparse.Namespace) -> int:
    ids = _chosen(options)
    rows = [row for row in read_ledger(options.folder) if row.claim.id in ids]
    print("\n\n".join(describe(row) for row in rows))
    return 0


def _run(options: argparse.Namespace) -> int:
    ids = _chosen(options)
    at = check_profile(options.profile or profile())
    folder = options.folder or results_folder(at)
    failed = []
    for number, report in enumerate(_reports(ids, at, folder, options), start=1):
        print(f"[{number}/{len(ids)}] {_told(report)}", flush=True)
        if report.state == "failed":
            failed.append(report.claim)
            print(report.error, file=sys.stderr, flush=True)
    print(f"evidence in {folder}")
    if failed:
        print(f"error: not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _reports(
    ids: Sequence[str], at: Profile, folder: Path, options: argparse.Namespace
) -> Iterator[Report]:
    """Measure the claims; where somebody watches, say beforehand which one."""
    again, jobs = options.again, options.jobs
    if jobs != 1:
        yield from measure_in_processes(ids, at, jobs=jobs, folder=folder, again=again)
        return
    for number, claim_id in enumerate(ids, start=1):
        if sys.stderr.isatty():
            print(f"[{number}/{len(ids)}] {claim_id} ...", file=sys.stderr, flush=True)
        yield measure(claim_id, at, folder=folder, again=again)


def _told(report: Report) -> str:
    """One line for a report."""
    if report.evidence is None:
        return f"{report.claim}: failed after {report.seconds:.1f} s"
    spent = "kept" if report.state == "kept" else f"{report.seconds:.1f} s"
    return f"{report.evidence.summary()} ({spent})"
