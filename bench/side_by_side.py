"""What the benchmark scripts share: where things are, runs of the troupe command, interleaved measurements, tables.

TROUPE        the troupe command                     [build/release/bin/troupe]
TROUPE_PEERS  the peers' programs                    [../shared/peers]
TROUPE_DATA   the folder with mnist/ and cifar-10/   [../shared/data]
TROUPE_BENCH  where the figures go, as JSON          [build/bench]
"""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

repository = pathlib.Path(__file__).resolve().parent.parent
python = "/usr/bin/python3"


def _place(variable, usual):
    return pathlib.Path(os.environ.get(variable, repository / usual)).resolve()


def refuse(sentence):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {sentence}")


def troupe():
    path = _place("TROUPE", "build/release/bin/troupe")
    if not path.exists():
        refuse(f"there is no {path}: build it with `make build`, or set TROUPE to the troupe command")
    return str(path)


def peers_folder():
    path = _place("TROUPE_PEERS", "../shared/peers")
    if not (path / "train.py").exists():
        refuse(f"there are no peers in {path}: set TROUPE_PEERS to the folder that holds train.py and tuned")
    return path


def peers():
    path = peers_folder()
    if subprocess.run([python, "-c", "import torch, torchvision"], capture_output=True).returncode != 0:
        refuse(f"{python} cannot import torch and torchvision: install python3-torch and python3-torchvision")
    return path


def data(name):
    path = _place("TROUPE_DATA", "../shared/data") / name
    if not path.is_dir():
        refuse(f"there is no {path}: set TROUPE_DATA to the folder that holds mnist/ and cifar-10/")
    return str(path)


def train(*options, environment=None):
    """Runs `troupe train --quiet` with `options` and returns its report, with "peak_mib" of its largest process added."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [troupe(), "train", "--quiet", "--report", report, *map(str, options)]
        peak = measured(command, environment)[1]
        with open(report) as f:
            return {**json.load(f), "peak_mib": peak}


def run(command, environment=None):
    """Runs `command` and returns what it printed; ends with its last words if it fails."""
    return measured(command, environment)[0]


def measured(command, environment=None):
    """Runs `command`; what it printed, and the peak resident MiB of its largest process."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed = out.read()
        if code != 0:
            words = (err.read().strip() or printed.strip() or "without a word").splitlines()[-1]
            refuse(f"`{' '.join(command)}` failed with exit code {code}: {words}")
        return printed, usage.ru_maxrss / 1024


def interleave(repetitions, **measurements):
    """Calls each measurement in turn, `repetitions` times (A B A B ...), and returns the median of each; where a measurement
    returns several figures, the median of each of them."""
    figures = {name: [] for name in measurements}
    for _ in range(repetitions):
        for name, measure in measurements.items():
            figures[name].append(measure())
    def middle(values):
        return tuple(map(statistics.median, zip(*values))) if isinstance(values[0], tuple) else statistics.median(values)
    return {name: middle(values) for name, values in figures.items()}


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    wide = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if re.search(rf"\b{flag}\b", text)]
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name[1] if name else platform.machine()}, {os.cpu_count()} cores ({' '.join(wide)}), {gib:.0f} GiB"


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > 0.75 * os.cpu_count():
        print(f"the machine is busy (load {load:.1f}): these figures say little", file=sys.stderr)


class growing_table:
    """A Markdown table that is printed row by row; floats get three significant digits or thousands separators."""

    def __init__(self, *head, widest=()):
        self.widths = [max(len(h), w) for h, w in zip(head, list(widest) + [0] * len(head))]
        self.row(*head)
        print("| " + " | ".join("-" * w for w in self.widths) + " |", flush=True)

    def row(self, *cells):
        print("| " + " | ".join(_cell(x).ljust(w) for x, w in zip(cells, self.widths)) + " |", flush=True)


def _cell(x):
    if not isinstance(x, float):
        return str(x)
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def table(head, rows):
    """Prints a Markdown table, as wide as its cells."""
    lines = [[_cell(x) for x in row] for row in rows]
    grown = growing_table(*head, widest=[max(len(line[i]) for line in lines) for i in range(len(head))])
    for line in lines:
        grown.row(*line)


def keep(name, figures):
    """Writes the figures, with the machine and its load, to build/bench/NAME.json."""
    folder = _place("TROUPE_BENCH", "build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "load": os.getloadavg()[0], "figures": figures}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
