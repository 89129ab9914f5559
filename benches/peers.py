"""Steps per second of marginflow and of other programs, on one core and in one go.

    python benches/peers.py PEERS [--core 0] [--repeats 15]

PEERS is the folder of the peers (its run_peers.py needs its own requirements installed). The peers and the bench run one
after the other, several rounds of them, so that a change of the machine's pace meets all alike; the table shows the median
round of each. Numbers are million steps per second of processor time; with eight runs at once, of all runs together.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
WORKS = ("W4-fc", "W4-conv")
ROW = re.compile(r"^(W4-\w+)\s+(single|batch of 8)\s+([\d.]+)\s+([\d.]+)")


def peers(folder, core, repeats):
    """{(work, peer): million steps per second}; a peer that does not run is left out, with a word."""
    rates = {}
    for work in WORKS:
        command = [sys.executable, "run_peers.py", "--work", work, "--peer", "all"]
        command += ["--core", str(core), "--repeats", str(repeats)]
        lines = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        for record in map(json.loads, lines.splitlines()):
            if "steps_per_s" in record:
                rates[work, record["peer"]] = record["steps_per_s"] / 1e6
            else:
                print(f"{work}: {record['peer']}: {record['status']}: {record.get('message', '')}", file=sys.stderr)
    return rates


def bench(folder, core):
    """{(work, runs): million steps per second}, {work: bound}, and the lines on the machine."""
    command = ["taskset", "-c", str(core), "cargo", "bench", "--quiet", "--bench", "finite_steps"]
    environment = {**os.environ, "MARGINFLOW_PEERS": str(folder)}
    lines = subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    rates, bounds = {}, {}
    for work, runs, rate, bound in (row.groups() for row in map(ROW.match, lines.splitlines()) if row):
        rates[work, runs], bounds[work] = float(rate), float(bound)
    return rates, bounds, lines.partition("\n\n")[0]


def medians(rounds):
    return {key: statistics.median(r[key] for r in rounds if key in r) for key in rounds[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folder = args.peers.resolve()
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "finite_steps", "--no-run"], cwd=REPOSITORY, check=True)
    theirs, ours, bounds = [], [], []
    for _ in range(args.rounds):
        theirs.append(peers(folder, args.core, args.repeats))
        rates, bound, machine = bench(folder, args.core)
        ours.append(rates)
        bounds.append(bound)
    theirs, ours, bounds = medians(theirs), medians(ours), medians(bounds)
    print(machine, "\n")
    print("| work | program | M steps/s | ratio to the fastest peer | share of the bound |")
    print("|---|---|---|---|---|")
    for work in WORKS:
        fastest = max(rate for (w, _), rate in theirs.items() if w == work)
        rows = {**{k: v for k, v in theirs.items() if k[0] == work}}
        rows |= {(w, f"marginflow, {runs}"): rate for (w, runs), rate in ours.items() if w == work}
        for (_, program), rate in sorted(rows.items(), key=lambda row: row[1]):
            print(f"| {work} | {program} | {rate:.3f} | {rate / fastest:.2f} | {rate / bounds[work]:.0%} |")


if __name__ == "__main__":
    main()
