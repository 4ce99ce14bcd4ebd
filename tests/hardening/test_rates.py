"""T081: one quota for all the processes of a service, and a caller who hammers takes nothing from anybody else."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from lading.monitor.slots import Slots

SRC = Path(__file__).parents[2] / "src"
PROCESSES, QUOTA, WINDOWS = 4, 200, 6
HASTE = 4
"""So many seconds of the clock of these processes pass in one."""
HAMMER = """
import json, sys, time
from collections import Counter
from lading.access.rates import Rates
from lading.monitor.slots import Slots
from lading.settings import Rate

fd, own, quota, windows, haste = map(int, sys.argv[1:])
slots = Slots.attach(fd)
rates = Rates([slot.rates for slot in slots], own, slots.secret)
greedy, modest = (rates.bucket(who, Rate(quota, 1), is_caller=True) for who in ("caller greedy", "caller modest"))
print("ready", flush=True)
begin = int(sys.stdin.readline())
asked, entered, refused = Counter(), Counter(), 0
now, next_modest = time.time() * haste, 0.0
while now < begin + windows:
    if now >= begin:
        asked[int(now)] += 1
        entered[int(now)] += greedy.admit(now)
    if now >= next_modest:
        next_modest = now + 0.05
        refused += not modest.admit(now)
    now = time.time() * haste
print(json.dumps([asked, entered, refused]))
"""


def hammered() -> list[tuple[dict[str, int], dict[str, int], int]]:
    """What each process asked and got in each window, and how often the other caller was refused."""
    slots = Slots.create(PROCESSES + 3)
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    rest = [str(number) for number in (QUOTA, WINDOWS, HASTE)]
    commands = [[sys.executable, "-c", HAMMER, str(slots.fd), str(own), *rest] for own in range(PROCESSES)]
    pipe = subprocess.PIPE
    each = [
        subprocess.Popen(command, pass_fds=[slots.fd], env=environment, stdin=pipe, stdout=pipe, text=True)
        for command in commands
    ]
    for process in each:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    begin = f"{int(time.time() * HASTE) + 2}\n"
    told = [process.communicate(begin, timeout=60)[0] for process in each]
    return [tuple(json.loads(text)) for text in told]


def test_processes_share_one_quota():
    each = hammered()
    asked, entered = (sum((Counter(one[which]) for one in each), Counter()) for which in (0, 1))
    assert len(asked) == WINDOWS
    assert min(asked.values()) > 10 * QUOTA
    assert [window for window, count in entered.items() if abs(count - QUOTA) > QUOTA / 10] == [], entered
    assert sum(one[2] for one in each) == 0
