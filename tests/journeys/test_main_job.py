from typing import Any
from live import Live, verified

def test_smoke(live: Live) -> None:
    pirha = live.system("pirha")
    hetu = live.client_of_both()
    ref = pirha.open_matter(hetu)
    a = pirha.query(hetu, ref)
    print(a.status_code, a.headers, a.text)
    verified(live, a.json()["receipt"])
    a = pirha.query(hetu, "X-1")
    print(a.status_code, a.headers, a.text)
    assert 0
