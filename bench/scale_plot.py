#!/usr/bin/python3
"""Draws what bench_scale prints (docs/scale.svg): messages for each agent and step, and what the cores of the roles take.

    build/release/bin/bench_scale | bench/scale_plot.py docs/scale.svg        # needs python3-matplotlib
"""
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

rows = [[float(x) for x in line.split("|")] for line in sys.stdin if line.count("|") == 7 and line.strip()[0].isdigit()]
if len(sys.argv) != 2 or not rows:
    sys.exit(__doc__)
agents = [r[0] for r in rows]
plt.rcParams["svg.hashsalt"] = "troupe"  # the same file for the same figures
plt.rcParams["svg.fonttype"] = "none"
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
left.plot(agents, [r[1] for r in rows], marker="o", color="#1f4e79")
left.set_title("messages for each agent and step", fontsize=10)
left.set_ylim(0, 20)
for column, name, colour in ((5, "coordinator", "#1f4e79"), (6, "data broker", "#c55a11"), (7, "shard holder", "#548235")):
    right.plot(agents, [r[column] for r in rows], marker="o", color=colour, label=name)
right.set_title("µs of a role's core for each agent and step", fontsize=10)
right.set_ylim(0, 1)
right.legend(frameon=False, fontsize=9)
for axes in (left, right):
    axes.set_xscale("log", base=4)
    axes.set_xticks(agents, [f"{int(a):,}" for a in agents])
    axes.set_xlabel("agents", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig(sys.argv[1], metadata={"Date": None})
