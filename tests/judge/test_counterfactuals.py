"""What would change a verdict: each promise is kept when the fact is made so, by the judge that made the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge import Namesakes
from portulan.judge.counterfactuals import MOST, what_would_change, who_would_be_expected
from portulan.judge.possible import Possible
from portulan.judge.rules import RULES
from portulan.judge.weigh import number_of
from portulan.model import Endpoint, replace
from tests.judge.situations import answers, judged, process, socket

if TYPE_CHECKING:
    from portulan.judge.counterfactuals import Change
    from portulan.model import Observation, Verdict
    from portulan.registry.index import Index

NGINX = process("/usr/sbin/nginx")
WRITABLE = process("/usr/sbin/nginx", executable_writable="/usr/sbin")
DELETED = process("/usr/sbin/nginx", executable_status="deleted")
FOREIGN = process("/usr/sbin/nginx", package="nginx", executable_intact=False)
MAILER = process("/srv/shop/mailer")


def changes(index: Index, seen: Observation) -> dict[str, Change]:
    """Return what would change a verdict, by the kind of fact; the first of each kind."""
    catalogue = {
        owner.executable: Namesakes(index.executables(owner.executable)) for owner in seen.processes if owner.executable
    }
    possible = Possible(index.programs(), index.executables, index.protocols())
    entry = index.entry(number_of(seen))
    found = what_would_change(entry, catalogue, seen, seen.identification, possible=possible)
    assert len(found) <= MOST
    told: dict[str, Change] = {}
    for change in found:
        told.setdefault(change.fact, change)
    return told


def kept(index: Index, change: Change, seen: Observation) -> None:
    """Fail unless a socket gets the verdict that a change promised."""
    verdict: Verdict = judged(index, seen, seen.identification)
    assert (verdict.rule, verdict.judgement, verdict.attention) == (change.rule, change.judgement, change.attention)


@pytest.mark.parametrize(
    ("owner", "fact", "sound"),
    [
        (WRITABLE, "writable", NGINX),
        (DELETED, "replaced", NGINX),
        (FOREIGN, "differs", replace(FOREIGN, executable_intact=True)),
    ],
)
def test_what_is_wrong_with_a_file_is_what_its_verdict_rests_on(
    index: Index, owner: object, fact: str, sound: object
) -> None:
    """A name that is not believed would be, were the file sound: the judge says so when it is."""
    seen = socket("listen", 80)
    told = changes(index, replace(seen, processes=(owner,)))
    assert told[fact].attention == "ok"
    kept(index, told[fact], replace(seen, processes=(sound,)))


def test_what_is_fine_would_not_be_if_others_could_write_it(index: Index) -> None:
    """A verdict that is ok tells what it rests on."""
    seen = socket("listen", 80, NGINX)
    told = changes(index, seen)
    assert told["writable"].attention == "investigate"
    kept(index, told["writable"], replace(seen, processes=(replace(NGINX, executable_writable="/usr/sbin/nginx"),)))


def test_an_answer_would_change_it(index: Index) -> None:
    """What is not known to be a service would be told by what it speaks, for better or worse."""
    seen = socket("listen", 22, process(None), processes_missing=None)
    told = changes(index, seen)
    assert told["protocol"].statement == "what answers there spoke ssh"
    kept(index, told["protocol"], replace(seen, identification=answers("ssh", 22)))


def test_the_program_of_the_cited_use_would_be_expected(index: Index) -> None:
    """Whoever dials 2528 is to be investigated; a program of 3CX would be ok, and another number as well."""
    seen = socket("connect", 2528, MAILER)
    told = changes(index, seen)
    assert told["program"].statement == "it were a program of 3CX Phone System"
    assert (told["program"].rule, told["program"].attention) == ("PT103", "ok")
    assert told["number"].attention != "investigate"
    kept(index, told["number"], replace(seen, peer=Endpoint("127.0.0.1", 14255)))


def test_an_owner_that_could_not_be_read_might_be_anybody(index: Index) -> None:
    """Where the owner is not known, both are told: who would be at home, and what anybody else would be."""
    seen = replace(socket("connect", 2528), processes_missing="not permitted")
    attentions = {change.attention for change in changes(index, seen).values() if change.fact == "owner"}
    assert attentions <= {"ok", "investigate"}
    assert attentions


def test_who_would_be_expected_on_a_free_number(index: Index) -> None:
    """The products that the map connects with a number, each with what would be found, and anybody else at the end."""
    possible = Possible(index.programs(), index.executables, index.protocols())
    free = replace(socket("connect", 2528), processes_missing="not permitted")
    *_, cited, anybody = who_would_be_expected(index.entry(2528), free, possible)
    assert (cited.product, cited.rule) == ("3CX Phone System", "PT103")
    assert "/" not in (cited.program or "")
    assert (anybody.product, anybody.rule) == (None, "PT104")


@pytest.mark.parametrize("port", [22, 25, 80, 443, 2528, 3306, 5060, 5432, 6379, 8080, 14255])
@pytest.mark.parametrize("owner", [NGINX, WRITABLE, DELETED, MAILER, process(None), process("/usr/bin/python3.11")])
def test_every_change_is_one(index: Index, port: int, owner: object) -> None:
    """No change is told that changes nothing, and each names a rule with its own judgement and attention."""
    for direction in ("listen", "connect"):
        seen = replace(socket(direction, port), processes=(owner,))
        now = judged(index, seen)
        for change in changes(index, seen).values():
            assert (change.judgement, change.attention) != (now.judgement, now.attention)
            assert RULES[change.rule][1:] == (change.judgement, change.attention)
