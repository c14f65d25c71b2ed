"""docs/bench.md: where a run's tables are kept, with the machine they were measured on."""

import os
import platform
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "bench.md"


def write(name: str, text: str) -> None:
    """Replace what stands between the marks of that name."""
    page = PAGE.read_text(encoding="utf-8")
    opening, closing = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, _, rest = page.partition(opening)
    _, found, after = rest.partition(closing)
    if not found:
        message = f"{PAGE.name} has no marks of {name}"
        raise ValueError(message)
    PAGE.write_text(before + opening + text + closing + after, encoding="utf-8")


def machine() -> str:
    """What it ran on, in one line: ratios depend on it less than rates, but they do."""
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(": ")[2] for line in described if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} × {model}, {platform.system()}, Python {platform.python_version()}, load {load:.1f} at the start"
