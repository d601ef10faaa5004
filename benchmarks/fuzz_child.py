"""The process that is put at risk: runs one damaged object after the other, as it is told."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Final

from tests.support.fuzz_case import FuzzCase, make_case, settle
from tests.support.fuzz_seeds import hand_made_seeds, real_seeds

#: Address space beyond what the process has when it starts; a worker has more.
HEADROOM_BYTES: Final = 2**30


def _status_bytes(name: str) -> int:
    """One line of ``/proc/self/status`` in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _run(case: FuzzCase) -> dict[str, object]:
    """Outcome of the damaged object and of the healthy ones beside it."""
    try:
        found = settle(case.contents)
    except MemoryError:
        return {"outcome": "memory!", "others": []}
    except BaseException as error:  # noqa: BLE001 - whatever escapes is what is looked for
        return {"outcome": f"raised {type(error).__name__}!", "others": [], "error": str(error)}
    damaged = found.pop(case.damaged)
    return {"outcome": damaged, "others": found}


def main() -> None:
    """Read case numbers from standard input, answer each with a line of JSON."""
    seeds = hand_made_seeds() | real_seeds(Path(os.environ["TRACERLAKE_TEST_DATA"]))
    settle(seeds["pet-jpeg-2000"])  # loads the decoders before the limit is set
    limit = _status_bytes("VmSize") + HEADROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(json.dumps({"ready": len(seeds)}), flush=True)
    for line in sys.stdin:
        case = make_case(int(line), seeds)
        _forget_peak()
        before, start = _status_bytes("VmRSS"), time.perf_counter()
        result = _run(case)
        result |= {
            "seconds": time.perf_counter() - start,
            "bytes": max(_status_bytes("VmHWM") - before, 0),
            "series": case.series,
            "mutation": case.mutation,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
