"""The order of questions and the rules by which they stop, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.identify.answers import Answer, Match, Probe, fixed
from portulan.identify.plan import NEAR, RANDOM, Asked, Case, Step, next_step, why_left_alone
from portulan.identify.protocols import probes
from portulan.identify.protocols.http import GET
from portulan.identify.protocols.tls import HELLO
from portulan.model import Tls

SHAKEN = Tls("1.3", None, client_certificate_wanted=False, certificate=None)
SERVER_HELLO = bytes.fromhex("1603030038020000340303" + "aa" * 32 + "00130100000c002b0002030400330002001d")
RESPONSE = b"HTTP/1.1 200 OK\r\nServer: Trial/1.5\r\n\r\n"


def after(*done: tuple[Step, tuple[Answer, ...], tuple[bool, ...]]) -> Asked:
    """Return what is known after some steps."""
    asked = Asked()
    for step, answers, still_open in done:
        asked.note(step, answers, still_open=still_open)
    return asked


LISTEN = Step(None, fresh=True, wait_s=NEAR.listen_s)
SAY_HELLO = Step(HELLO, fresh=False, wait_s=NEAR.answer_s)
SAY_GET = Step(GET, fresh=True, wait_s=NEAR.answer_s)
SILENCE = (LISTEN, (), (True,))


def test_first_it_is_listened() -> None:
    """Nothing is said before the service had the time to speak."""
    step = next_step(Case(1), Asked(), 0)
    assert step == LISTEN


def test_the_hello_goes_where_it_was_silent() -> None:
    """The ClientHello takes the connection that is there; where that has ended, it takes another."""
    assert next_step(Case(1), after(SILENCE), 1) == SAY_HELLO
    ended = after((LISTEN, (Answer("", b"", b"", end="closed"),), (False,)))
    assert next_step(Case(1), ended, 1) == Step(HELLO, fresh=True, wait_s=NEAR.answer_s)


def test_the_get_has_a_connection_of_its_own() -> None:
    """After a ClientHello without an answer comes a GET, on another connection."""
    assert next_step(Case(1), after(SILENCE, (SAY_HELLO, (), (True,))), 1) == SAY_GET


def test_what_is_likely_is_asked_first_but_never_a_get() -> None:
    """A prior moves a probe to the front, though not HTTP before TLS."""
    step = next_step(Case(1, prior=("redis",)), after(SILENCE), 1)
    assert step is not None
    assert step.probe is not None
    assert "redis" in step.probe.speaks
    assert not step.fresh
    assert next_step(Case(1, prior=("http",)), after(SILENCE), 1) == SAY_HELLO


def test_a_name_that_is_certain_ends_the_question() -> None:
    """After a certain name nothing more is asked."""
    assert next_step(Case(1), after((LISTEN, (Answer("", b"", b"SSH-2.0-x_1\r\n"),), (True,))), 1) is None


def test_tls_leads_inside() -> None:
    """A ServerHello leads to a handshake, listening first, and to a GET inside on the same connection."""
    hello = (SAY_HELLO, (Answer("tls", b"", SERVER_HELLO),), (True,))
    inside = next_step(Case(1), after(SILENCE, hello), 1)
    assert inside == Step(None, fresh=True, wait_s=NEAR.listen_s, inside=("h2", "http/1.1"))
    shaken = (inside, (Answer("", b"", b"", tls=SHAKEN),), (True, True))
    assert next_step(Case(1), after(SILENCE, hello, shaken), 2) == Step(GET, fresh=False, wait_s=NEAR.answer_s)


def test_a_handshake_that_fails_is_tried_once_more() -> None:
    """Where no handshake can be finished, nothing is offered once, and then there is nothing to ask inside."""
    hello = (SAY_HELLO, (Answer("tls", b"", SERVER_HELLO),), (True,))
    failed = (Answer("", b"", b"", end="closed"),)
    first = (Step(None, fresh=True, wait_s=1, inside=("h2", "http/1.1")), failed, (True, False))
    again = next_step(Case(1), after(SILENCE, hello, first), 2)
    assert again == Step(None, fresh=True, wait_s=NEAR.listen_s, inside=())
    assert next_step(Case(1), after(SILENCE, hello, first, (again, failed, (True, False, False))), 2) is None


def test_the_reaction_to_the_hello_orders_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes for services that take a ClientHello as this one did come before others of a lower rank."""
    cheap = Probe("cheap", fixed(b"a"), ("a",), rank=3, after=("silent",))
    fitting = Probe("fitting", fixed(b"b"), ("b",), rank=9, after=("closes",))
    monkeypatch.setattr("portulan.identify.plan.probes", lambda: {"cheap": cheap, "fitting": fitting})
    closed = (SAY_HELLO, (Answer("tls", b"x", b"", end="closed"),), (False,))
    asked = after(SILENCE, closed, (SAY_GET, (Answer("http-get", b"x", b"", end="closed"),), (False, False)))
    assert asked.reactions == ("closes", "closes/closes")
    step = next_step(Case(1), asked, 1)
    assert step is not None
    assert step.probe == fitting


def test_the_reaction_to_a_probe_says_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """How another probe was taken comes before how the general ones were, and that before the rank."""
    short = Probe("short", fixed(b"a"), ("a",), rank=3)
    likely = Probe("likely", fixed(b"b"), ("b",), rank=9, after=("closes/closes",))
    waits = Probe("waits", fixed(b"c"), ("c",), rank=90, after=("closes/closes", "short:silent"))
    monkeypatch.setattr("portulan.identify.plan.probes", lambda: {one.name: one for one in (short, likely, waits)})
    gone = (Answer("tls", b"x", b"", end="closed"),)
    closed = (SAY_HELLO, gone, (False,)), (SAY_GET, (Answer("http-get", b"x", b"", end="closed"),), (False, False))
    asked = after(SILENCE, *closed, (Step(short, fresh=True, wait_s=1), (), (False, False, True)))
    step = next_step(Case(1), asked, 1)
    assert step is not None
    assert step.probe == waits


def test_h2_is_asked_again_in_http1() -> None:
    """Where the server prefers h2, the GET goes inside a handshake that offers HTTP/1.1 alone."""
    tls = Tls("1.3", "h2", client_certificate_wanted=False, certificate=None)
    hello = (SAY_HELLO, (Answer("tls", b"", SERVER_HELLO),), (True,))
    shaken = (
        Step(None, fresh=True, wait_s=1, inside=("h2", "http/1.1")),
        (Answer("", b"", b"", tls=tls),),
        (True, True),
    )
    step = next_step(Case(1), after(SILENCE, hello, shaken), 2)
    assert step == Step(GET, fresh=True, wait_s=NEAR.answer_s, inside=("http/1.1",))


def test_twice_turned_away_is_enough() -> None:
    """Who ends two connections without a word is not asked a third time."""
    closed = (Answer("", b"", b"", end="closed"),)
    again = (Step(HELLO, fresh=True, wait_s=1), (Answer("tls", b"x", b"", end="closed"),), (False, False))
    assert next_step(Case(1), after((LISTEN, closed, (False,)), again), 1) is None


def test_an_echo_is_not_asked_on() -> None:
    """Who gives back the ClientHello is asked once more, whether it gives back everything, and that is its name."""
    sent, get = HELLO.payload(bytes(16)), GET.payload(bytes(16))
    echoed = (SAY_HELLO, (Answer("tls", sent, sent),), (True,))
    step = next_step(Case(1), after(SILENCE, echoed), 1)
    assert step is not None
    assert step.probe == GET
    again = after(SILENCE, echoed, (SAY_GET, (Answer("http-get", get, get),), (True, True)))
    assert again.name == "echo"
    assert next_step(Case(1), again, 1) is None


@given(st.lists(st.sampled_from(["", "closed", "reset", "words", "tls", "http"]), max_size=12), st.floats(0, 10))
def test_the_limits_hold_whatever_is_answered(tempers: list[str], elapsed_s: float) -> None:
    """However a service answers, it gets no more connections and bytes than the limits say, and the question ends."""
    data = {"words": b"hm?\r\n", "tls": SERVER_HELLO, "http": RESPONSE}
    case, asked = Case(1), Asked()
    still_open: list[bool] = []
    for temper in [*tempers, *[""] * 40]:
        step = next_step(case, asked, elapsed_s)
        if step is None:
            break
        if step.hang_up:
            still_open[still_open.index(True)] = False
        if step.fresh:
            still_open.append(True)
        end = "open" if temper not in {"closed", "reset"} else temper
        still_open[-1] = still_open[-1] and end == "open"
        name = "" if step.probe is None else step.probe.name
        tls = SHAKEN if step.inside else None
        answer = Answer(name, b"", data.get(temper, b""), end=end, tls=tls)  # type: ignore[arg-type]  # an End
        asked.note(step, (answer,) if temper or tls else (), still_open=tuple(still_open))
        elapsed_s += 0.3
    else:
        pytest.fail("the question never ends")
    assert asked.connections <= case.limits.connections
    assert asked.bytes_sent <= case.limits.bytes_sent


def test_late_silence_is_waited_for_then_ended_in_order() -> None:
    """When there is nothing left to ask, what is open is listened to, and at last ended, the oldest first."""
    done: list[tuple[Step, tuple[Answer, ...], tuple[bool, ...]]]
    done = [SILENCE, (SAY_HELLO, (), (True,)), (SAY_GET, (), (True, True))]
    for number, probe in enumerate([found for found in probes().values() if found.transport == "tcp"][:6], 3):
        done.append((Step(probe, fresh=True, wait_s=0.4), (), (True,) * number))
    while sum(step.fresh for step, _, _ in done) < NEAR.connections:
        done.append((Step(RANDOM, fresh=True, wait_s=0.4), (), (True,) * (len(done) + 1)))
    asked = after(*done)
    step = next_step(Case(1), asked, 3.0)
    assert step == Step(None, fresh=False, wait_s=NEAR.patience_s - 3.0)
    step = next_step(Case(1), asked, NEAR.patience_s)
    assert step == Step(None, fresh=False, wait_s=NEAR.hang_up_s, hang_up=True)


@pytest.mark.parametrize(
    ("case", "asks"),
    [
        (Case(9100), False),
        (Case(9100, consent=True), True),
        (Case(9100, programs=("node_exporter",), speaks=("http",)), True),
        (Case(9100, programs=("p910nd",), speaks=("pdl-datastream",)), False),
        (Case(502, near=False), False),
        (Case(502), True),
        (Case(80, programs=("gdbserver",)), False),
        (Case(80, programs=("gdbserver",), consent=True), True),
        (Case(80), True),
    ],
    ids=str,
)
def test_what_could_be_harmed_is_left_alone(case: Case, asks: bool) -> None:  # noqa: FBT001  # a column of the table
    """Printers, debuggers and controllers are listened to and not asked, unless somebody consented or knows better."""
    assert (why_left_alone(case) is None) is asks
    quiet = after(SILENCE)
    assert (next_step(case, quiet, 1) is not None) is asks


def test_what_disturbs_needs_consent() -> None:
    """A probe that can disturb is in no plan without consent."""
    risky = {name for name, probe in probes().items() if probe.risk == "consent"}
    for consent in (False, True):
        case = Case(1, prior=tuple(name for probe in probes().values() for name in probe.speaks), consent=consent)
        asked, said = after(SILENCE), set()
        while (step := next_step(case, asked, 1)) is not None and step.probe is not None:
            said.add(step.probe.name)
            asked.note(step, (), still_open=(True,) * (asked.connections + step.fresh))
        assert consent or not said & risky


def test_a_doubtful_name_is_tried_with_random_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A match that rests on one answer and is not certain is tried with sixteen random bytes."""
    probe = Probe("trial", fixed(b"who?"), ("trial",), rank=3)
    monkeypatch.setattr("portulan.identify.plan.probes", lambda: {"trial": probe})
    monkeypatch.setattr(
        "portulan.identify.deciding.recognise",
        lambda answer: [Match("trial", 0.8, "says so")] if answer.probe == "trial" else [],
    )
    done: list[tuple[Step, tuple[Answer, ...], tuple[bool, ...]]]
    done = [SILENCE, (SAY_HELLO, (), (True,)), (SAY_GET, (), (True, True))]
    done.append((Step(probe, fresh=True, wait_s=0.4), (Answer("trial", b"who?", b"me"),), (True, True, True)))
    assert next_step(Case(1), after(*done), 2) == Step(RANDOM, fresh=True, wait_s=NEAR.answer_s)
    same = (Step(RANDOM, fresh=True, wait_s=0.4), (Answer("random", b"r" * 16, b"me"),), (True,) * 4)
    assert after(*done, same).name is None
    other = (Step(RANDOM, fresh=True, wait_s=0.4), (Answer("random", b"r" * 16, b"what?"),), (True,) * 4)
    assert after(*done, other).name == "trial"


def test_udp_repeats_once_and_then_waits() -> None:
    """Datagrams get lost: each is sent twice, on sockets of their own, before the silence is believed."""
    case, asked, elapsed_s, said = Case(1, "udp"), Asked(), 0.0, []
    while (step := next_step(case, asked, elapsed_s)) is not None:
        said += [step.probe.name] if step.probe else []
        elapsed_s += step.wait_s
        asked.note(step, (), still_open=(True,) * (asked.connections + step.fresh))
    assert all(said.count(name) <= 2 for name in said)
    assert all(probes()[name].transport == "udp" for name in said)


def test_what_is_likely_the_web_is_greeted_in_tls_first() -> None:
    """HTTP and HTTP/2 are asked for after the ClientHello, however likely: servers of TLS answer them in the clear."""
    step = next_step(Case(443, prior=("http", "http2")), after(SILENCE), 1)
    assert step is not None
    assert step.probe == HELLO


def test_three_datagrams_that_nobody_knows_are_enough() -> None:
    """Who answers three questions by UDP with what nobody knows is asked no more."""
    answers = [
        (
            Step(Probe(str(n), fixed(b"?"), ("x",), "udp"), fresh=True, wait_s=1),
            (Answer(str(n), b"?", b"\1!", "udp"),),
            (True,),
        )
        for n in range(3)
    ]
    assert next_step(Case(1, "udp"), after(*answers[:2]), 1) is not None
    assert next_step(Case(1, "udp"), after(*answers), 1) is None
