"""marginflow beside other programs, on one core and in one go.

    python benches/peers.py PEERS                            # every work
    python benches/peers.py PEERS --works W1 W2 W3 W3-big    # flows
    python benches/peers.py PEERS --works W3-big-20          # W3-big carried on to s = 20
    python benches/peers.py PEERS --works W5-psi W5-svm      # limits
    python benches/peers.py PEERS --works W4-fc W4-conv      # finite steps

PEERS is the folder of the peers; this script runs under the Python their requirements are installed for. Peers and benches
run one after the other, --rounds times, each measurement in a fresh process with one thread; the tables show the median
round in seconds (or steps per second) of processor time, in Markdown.

Flows: a peer takes its tuned tolerance and, where its final angle misses the reference by more than 1e-4 on this machine,
up to three decades less. Without --every-peer those are left out that need many times as long as the best one, or fail.
On W3-big-20, for which no peer is tuned, they take their tolerances of W3-big and --limit seconds.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FLOWS, BEYOND, LIMITS, STEPS = ("W1", "W2", "W3", "W3-big"), "W3-big-20", ("W5-psi", "W5-svm"), ("W4-fc", "W4-conv")
WORKS = (*FLOWS, BEYOND, *LIMITS, *STEPS)
CONTENDERS = {
    "W1": ["cvode-gmres", "scipy-lsoda", "scipy-bdf"],
    "W2": ["scipy-lsoda", "scipy-bdf", "scipy-radau"],
    "W3": ["cvode-gmres-tau", "cvode-gmres", "cvode-gmres-jvp"],
    "W3-big": ["diffrax-tsit5", "scipy-dop853", "scipy-rk45", "cvode-gmres-tau"],
    BEYOND: ["diffrax-tsit5", "cvode-gmres-tau", "cvode-gmres"],
}
ACCURACY, TIGHTENINGS = 1e-4, 3
# A run that cannot be interrupted is made to one horizon after the other, so as to know how far it gets.
HORIZONS = (6, 7, 8, 9, 10, 12, 14, 17, 20)
ROW_OF_STEPS = re.compile(r"^(W4-\w+)\s+(single|batch of 8)\s+([\d.]+)\s+([\d.]+)")


class Peers:
    """The peers' runner."""

    def __init__(self, folder, core, repeats, limit, every):
        self.folder, self.core, self.repeats, self.limit, self.every = folder, core, repeats, limit, every

    def command(self, *arguments):
        return ["taskset", "-c", str(self.core), sys.executable, *map(str, arguments)]

    def records(self, work, peer="all", rtol=None):
        command = self.command("run_peers.py", "--work", work, "--peer", peer, "--core", self.core)
        command += ["--repeats", str(self.repeats), "--limit", str(self.limit)]
        command += ["--rtol", str(rtol)] if rtol else []
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def names(self, work):
        if not self.every:
            return CONTENDERS[work]
        done = subprocess.run(self.command("run_peers.py", "--list"), cwd=self.folder, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)["W3-big" if work == BEYOND else work]

    def flow(self, work, peer):
        """The record of the tuned tolerance, or of the first tighter one that meets the accuracy."""
        record = self.records(work, peer)[0]
        for _ in range(TIGHTENINGS):
            if record["status"] != "ok" or record["angle_rel_err"] <= ACCURACY:
                break
            record = self.records(work, peer, record["settings"]["rtol"] / 10)[0]
        return record

    def beyond(self, peer, until):
        """The last record of a run of W3-big carried on to `until`."""
        sys.path.insert(0, str(self.folder))
        from run_peers import DEFAULT_RTOL, ONE_THREAD, SETTINGS

        rtol = json.loads(SETTINGS.read_text())["W3-big"].get(peer, DEFAULT_RTOL)
        command = self.command(Path(__file__).resolve(), self.folder, "--beyond", peer, until, rtol, self.limit)
        environment = {**os.environ, **ONE_THREAD, "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
            try:
                lines, _ = child.communicate(timeout=1.2 * self.limit + 30)
            except subprocess.TimeoutExpired:
                child.kill()
                lines, _ = child.communicate()
        unfinished = dict(peer=peer, status="timeout", settings=dict(rtol=rtol), s=0.0, cpu_s=self.limit)
        return json.loads(lines.splitlines()[-1]) if lines else unfinished


def carry_on(folder, peer, until, rtol, limit):
    """Child process: runs W3-big beyond its horizon and prints a record per horizon reached."""
    sys.path.insert(0, str(folder))
    from flows import Instance, quality
    from run_peers import module_of

    interruptible = not peer.startswith("diffrax")
    for horizon in [until] if interruptible else [h for h in HORIZONS if h < until] + [until]:
        inst = Instance("W3-big")
        inst.spec["s_end"] = horizon
        solve, _ = module_of(peer).prepare(inst, peer, rtol, rtol, limit)
        if not interruptible:
            solve()  # compiles
        start = time.process_time()
        outcome = solve()
        record = dict(peer=peer, status=outcome["status"], settings=dict(rtol=rtol), cpu_s=time.process_time() - start)
        record.update(steps=outcome["steps"], message=str(outcome.get("message", "")))
        record.update(quality(inst, outcome["s"], outcome["y"], outcome["mask"]))
        print(json.dumps(record), flush=True)


def bench(folder, core, name, *arguments):
    """The lines one of our benches prints."""
    command = ["taskset", "-c", str(core), "cargo", "bench", "--quiet", "--bench", name, "--", *arguments]
    environment = {**os.environ, "MARGINFLOW_PEERS": str(folder)}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def flow_rows(peers, work):
    """{program: (CPU s, angle error or None, what else there is to say)}"""
    rows, reference = {}, None
    for line in bench(peers.folder, peers.core, "flows", "works", work, "--json").splitlines():
        r = json.loads(line)
        reference = r["reference_angle"]
        error = r["angle_rel_err"] if r["status"] == "completed" else None
        rows[f"marginflow, {r['tolerance']}"] = r["cpu_s"], error, f"rtol {r['rtol']:.0e}, {r['steps']} steps"
    for peer in peers.names(work):
        r = peers.beyond(peer, 20) if work == BEYOND else peers.flow(work, peer)
        if work == BEYOND and "angle" in r:
            r["angle_rel_err"] = abs(r["angle"] / reference - 1)
        finished = r["status"] == "ok" and (work != BEYOND or r["s"] >= 20)
        said = f"rtol {r.get('settings', {}).get('rtol', 0):.0e}, {r.get('steps', '?')} steps"
        if not finished:
            why = "limit" if r["status"] == "ok" else r["status"]
            said += f"; not finished ({why}), s = {r.get('s', 0):.1f}"
        rows[peer] = r.get("cpu_s") or r.get("wall_s") or 0.0, r.get("angle_rel_err") if finished else None, said
    return rows


def limit_rows(peers, work):
    """{program: (CPU s, gap, what else there is to say)}; all gaps by the peers' certificate in long double."""
    sys.path.insert(0, str(peers.folder))
    import numpy as np
    from convex import in_fourier
    from flows import Instance, fourier_basis
    from limits import certified_gap, psi_weights

    rows = {}
    for line in bench(peers.folder, peers.core, "flows", "limits", "--json").splitlines():
        r = json.loads(line)
        if r["work"] == work:
            inst = in_fourier(Instance(work))
            beta, a = (np.array(r[key], dtype=np.longdouble) for key in ("beta", "multipliers"))
            weights, q = (psi_weights(inst), 4) if inst.kind == "psi" else (None, 2)
            if q == 4:
                beta = fourier_basis(inst.D, np.longdouble) @ beta
            gap = certified_gap(inst.G, beta, a, weights, q)
            rows["marginflow"] = r["cpu_s"], gap, f"{r['gap']:.0e} before rounding to doubles"
    for r in peers.records(work):
        rows[r["peer"]] = r["cpu_s"], r["certified_gap"], r.get("multipliers", "")
    return rows


def median_round(rounds):
    """Per program the round of median time."""
    return {name: sorted(r[name] for r in rounds)[len(rounds) // 2] for name in rounds[0]}


def print_flows(works, rounds):
    print("| work | program | CPU s | angle error | times as fast as the best peer | |")
    print("|---|---|---|---|---|---|")
    for work in works:
        rows = median_round([r[work] for r in rounds])
        meets = {name: row[0] for name, row in rows.items() if row[1] is not None and row[1] <= ACCURACY}
        theirs = {name: cpu for name, cpu in meets.items() if not name.startswith("marginflow")}
        best = min(theirs, key=theirs.get, default=None)
        for name, (cpu, error, said) in sorted(rows.items(), key=lambda row: -row[1][0]):
            ratio = f"{theirs[best] / cpu:.2f}" if best and name in meets else ""
            shown = f"**{name}**" if name == best else name
            error = "" if error is None else f"{error:.1e}"
            print(f"| {work} | {shown} | {cpu:.4f} | {error} | {ratio} | {said} |")


def print_limits(works, rounds):
    print("| work | program | CPU s | gap | times as fast | share of the gap | |")
    print("|---|---|---|---|---|---|---|")
    for work in works:
        rows = median_round([r[work] for r in rounds])
        ours = rows["marginflow"]
        for name, (cpu, gap, said) in sorted(rows.items(), key=lambda row: -row[1][0]):
            beside = f"{cpu / ours[0]:.2f} | {ours[1] / gap:.0e}" if name != "marginflow" else " | "
            print(f"| {work} | {name} | {cpu:.4f} | {gap:.1e} | {beside} | {said} |")


def step_rates(peers):
    """Million steps per second of peers and of the bench, {work: bound}, and the lines on the machine."""
    rates, bounds = {}, {}
    for work in STEPS:
        for record in peers.records(work):
            if "steps_per_s" in record:
                rates[work, record["peer"]] = record["steps_per_s"] / 1e6
            else:
                print(f"{work}: {record['peer']}: {record['status']}: {record.get('message', '')}", file=sys.stderr)
    lines = bench(peers.folder, peers.core, "finite_steps")
    for work, runs, rate, bound in (row.groups() for row in map(ROW_OF_STEPS.match, lines.splitlines()) if row):
        rates[work, f"marginflow, {runs}"], bounds[work] = float(rate), float(bound)
    return rates, bounds, lines.partition("\n\n")[0]


def print_steps(works, rounds):
    def medians(part):
        return {key: statistics.median(r[part][key] for r in rounds if key in r[part]) for key in rounds[0][part]}

    rates, bounds = medians(0), medians(1)
    print(rounds[-1][2], "\n")
    print("| work | program | M steps/s | ratio to the fastest peer | share of the bound |")
    print("|---|---|---|---|---|")
    for work in works:
        rows = {program: rate for (w, program), rate in rates.items() if w == work}
        fastest = max(rate for program, rate in rows.items() if not program.startswith("marginflow"))
        for program, rate in sorted(rows.items(), key=lambda row: row[1]):
            print(f"| {work} | {program} | {rate:.3f} | {rate / fastest:.2f} | {rate / bounds[work]:.0%} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds per attempt of a peer")
    parser.add_argument("--every-peer", action="store_true", help="flows: also the peers that take very long")
    parser.add_argument("--beyond", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.peers.resolve()
    if args.beyond:
        peer, *numbers = args.beyond
        carry_on(folder, peer, *map(float, numbers))
        return
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "flows", "--bench", "finite_steps", "--no-run"], cwd=REPOSITORY, check=True)
    peers = Peers(folder, args.core, args.repeats, args.limit, args.every_peer)
    flows = [work for work in args.works if work in (*FLOWS, BEYOND)]
    limits = [work for work in args.works if work in LIMITS]
    steps = [work for work in args.works if work in STEPS]
    rounds = range(args.rounds)
    if flows:
        print_flows(flows, [{work: flow_rows(peers, work) for work in flows} for _ in rounds])
    if limits:
        print_limits(limits, [{work: limit_rows(peers, work) for work in limits} for _ in rounds])
    if steps:
        print_steps(steps, [step_rates(peers) for _ in rounds])


if __name__ == "__main__":
    main()
