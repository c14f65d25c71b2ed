"""`make diff-api`: nothing a client relies on may be gone or tightened since the last release."""

import subprocess
import sys
import tempfile
from pathlib import Path

from contract import node

ROOT = Path(__file__).parents[2]
DOCUMENT = "openapi/sauma.json"


def differs(base: Path, revision: Path) -> tuple[int, str]:
    """Exit code 0 where nothing breaks a client (semver: no major change), and what was found."""
    found = node.run("redocly", "diff", base, revision, "--fail-on", "major")
    return found.returncode, found.stdout + found.stderr


def released() -> tuple[str, bytes] | None:
    """The last tag before here that holds the description, and the description it holds."""
    said = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],  # noqa: S607  # git from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    tag = said.stdout.strip()
    shown = subprocess.run(
        ["git", "show", f"{tag}:{DOCUMENT}"],  # noqa: S607  # git from PATH
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return (tag, shown.stdout) if said.returncode == 0 and shown.returncode == 0 else None


def main() -> int:
    """Compare with the last tag; without one there is nothing to break."""
    before = released()
    if before is None:
        print("diff-api: SKIPPED, no tag yet")  # noqa: T201  # what make shows
        return 0
    why = node.absent()
    if why is not None:
        print(f"diff-api: {why}")  # noqa: T201  # what make shows
        return 1
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / f"{before[0].replace('/', '-')}.json"
        base.write_bytes(before[1])
        code, said = differs(base, ROOT / DOCUMENT)
    print(said)  # noqa: T201  # what make shows
    return code


if __name__ == "__main__":
    sys.exit(main())
