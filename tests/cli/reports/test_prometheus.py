"""Metrics: read again by a strict reader of Prometheus' text format.

The reader is written here from Prometheus' documentation ("Exposition formats", text format details): the client
library's own is lenient where the textfile collector is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given

from portulan.cli.reports.prometheus import FEW
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, written
from tests.judge.situations import NOW
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Series:
    """Read metrics; fail where a line is none, a family is not declared once and before, or a series comes twice."""
    assert text.endswith("\n")
    text.encode("ascii")
    series: Series = {}
    helped, typed, current = set(), set(), ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in helped
            helped.add(current)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {current} gauge"
            typed.add(current)
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            name, labels, value = sample.groups()
            assert name == current
            assert name in typed
            pairs = LABEL.findall(labels or "")
            assert ",".join([f'{label}="{told}"' for label, told in pairs]) == (labels or "")
            key = (name.removeprefix("portulan_check_"), tuple(sorted(pairs)))
            assert key not in series
            series[key] = float(value)
    return series


def total(series: Series, name: str) -> float:
    """Return the sum of a metric."""
    return sum(value for (metric, _), value in series.items() if metric == name)


def test_a_bad_night() -> None:
    """Findings are counted by host, rule and attention; the rest are single figures."""
    series = read(written(BAD, "prometheus"))
    labels = (("attention", "investigate"), ("host", "pbx1"), ("rule", "PT104"))
    assert series["findings", labels] == 1
    port = (("direction", "connect"), ("host", "pbx1"), ("port", "2528"), ("rule", "PT104"), ("transport", "tcp"))
    assert series["finding", (labels[0], *port)] == 1
    assert {name: value for (name, told), value in series.items() if not told} == {
        "judged": 4,
        "incomplete": 1,
        "hosts": 1,
        "rules": 3,
        "last_run_timestamp_seconds": NOW.timestamp(),
    }
    assert total(read(written(CLEAN, "prometheus")), "findings") == 0


def test_the_number_of_series_is_bounded() -> None:
    """Of many findings there is a series for each host, rule and attention, and none for each port."""
    many = replace(
        BAD, findings=tuple([replace(BAD.findings[-1], port=port, host=f"host{port % 3}") for port in range(FEW + 1)])
    )
    series = read(written(many, "prometheus"))
    assert len([name for name, _ in series if name == "findings"]) == 3
    assert total(series, "findings") == FEW + 1
    assert "finding" not in {name for name, _ in series}


@given(check=checks())
def test_every_text_can_be_read(check: Check) -> None:
    """Whatever is in it, the text is what a strict reader takes, and counts every finding."""
    series = read(written(check, "prometheus"))
    assert total(series, "findings") == total(series, "finding") == len(check.findings)
