"""The committed description held against the running server by schemathesis: every operation, right and wrong input."""

import json
import os
import subprocess
import sys
from pathlib import Path

from asks import AUDIT, CASEWORK, PIRHA
from live import Live

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "openapi" / "sauma.json"


def test_the_server_does_what_its_description_says(live: Live, tmp_path: Path) -> None:
    system = live.new_system(PIRHA, (*CASEWORK, *AUDIT))
    known = live.client_of_both()
    answer = system.query(known, system.open_matter(known))
    told = {
        "access": {
            "issuer": live.url,
            "client_id": system.client_id,
            "key": live.keys[system.client_id],
            "scopes": (*CASEWORK, *AUDIT),
        },
        "people": [known, live.client_of_both(), live.known_at_county(live.system("pirha"))],
        "subjectId": answer.json()["subject"]["subjectId"],
        "entry": answer.json()["disclosureId"],
        "session": system.audit_session(),
    }
    environment = {
        **os.environ,
        "FUZZED": json.dumps(told),
        "PYTHONPATH": os.pathsep.join((str(HERE.parents[1] / "src"), str(HERE))),
        "SCHEMATHESIS_HOOKS": "fuzzing",
        "NO_COLOR": "1",
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    asked = [str(DOCUMENT), "--url", live.url, "--checks", "all", "--mode", "all"]
    limits = ["--max-examples", os.environ.get("FUZZ_EXAMPLES", "10"), "--phases", "examples,coverage,fuzzing"]
    done = subprocess.run(
        [*command, *asked, *limits],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    (tmp_path / "schemathesis.txt").write_text(done.stdout, encoding="utf-8")
    sys.stdout.write(done.stdout[done.stdout.find(" SUMMARY ") :])
    assert done.returncode == 0, f"{tmp_path}/schemathesis.txt" + done.stderr[-2000:]
