"""Fail where an experiment of the lab does not hold, or was not run; say how long each took."""

import json
import sys
from pathlib import Path


def main(path: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    told = json.loads(text) if text.strip() else {}
    ran, not_run = told.get("experiments", []), told.get("not_run", [])
    for one in ran:
        sys.stdout.write(f"{one['seconds']:6.1f} s  {one['name']}\n")
    sys.stdout.write(f"{sum(one['seconds'] for one in ran):6.1f} s  {len(ran)} experiments\n")
    faults = [f"{one['name']} was not run: {'; '.join(filter(None, one['error'].values()))}" for one in not_run]
    faults += [fault for one in ran for fault in missed(one)]
    if faults or not ran:
        sys.exit("\n".join(faults or ["no experiment was run"]))


def missed(one: dict) -> list[str]:
    bounds = {key: " ".join(map(str, one["expected"][key])) for key in one["missed"]}
    return [f"{one['name']} does not hold: {key} is {one['measured'][key]}, must be {bounds[key]}" for key in bounds]


if __name__ == "__main__":
    main(sys.argv[1])
