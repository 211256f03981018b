"""The JSON documents: what the real command prints is what the schemas in the package describe, and nothing else."""

from __future__ import annotations

import ast
import json
import socket
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from portulan import model
from portulan.answer import lookup
from portulan.document import port_document
from portulan.judge import findings, policy
from portulan.judge.drift import Change, Drift
from portulan.judge.sightings import ASPECTS
from portulan.scanned import Counted
from tests.cli.door import CODES, portulan
from tests.cli.test_diff import compared
from tests.identify.servers import saying, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

SCHEMAS: dict[str, Any] = {
    file.name: json.loads(file.read_text("utf-8"))
    for file in (files("portulan") / "schemas").iterdir()
    if file.name.endswith(".json")
}

NOUNS = {
    "assignment": model.Assignment,
    "citation": model.Citation,
    "declaration": model.Declaration,
    "endpoint": model.Endpoint,
    "episode": model.Episode,
    "evidence": model.Evidence,
    "grade": model.Grade,
    "identification": model.Identification,
    "incomplete": model.Incomplete,
    "known_use": model.KnownUse,
    "note": model.Note,
    "observation": model.Observation,
    "port_range": model.PortRange,
    "process": model.Process,
    "certificate": model.Certificate,
    "cost": model.Cost,
    "tls": model.Tls,
    "verdict": model.Verdict,
}

NOUNS_OF_A_CHECK = {"finding": findings.Finding, "location": findings.Location, "rule": policy.Rule}

ENUMERATIONS = {
    ("port_answer", "tier"): "Tier",
    ("transport_entry", "state"): "State",
    ("grade", "registration"): "Registration",
    ("known_use", "relation"): "Relation",
    ("known_use", "attestation"): "Attestation",
    ("observation", "perspective"): "Perspective",
    ("observation", "direction"): "Direction",
    ("observation", "processes_missing"): "ProcessesMissing",
    ("declaration", "role"): "Role",
    ("process", "executable_status"): "ExecutableStatus",
    ("process", "replaced_by"): "Replacement",
    ("episode", "direction"): "Direction",
    ("episode", "processes_missing"): "ProcessesMissing",
    ("episode", "judgement"): "Judgement",
    ("episode", "attention"): "Attention",
    ("evidence", "kind"): "EvidenceKind",
    ("evidence", "weight"): "Weight",
    ("verdict", "judgement"): "Judgement",
    ("verdict", "attention"): "Attention",
}

NUMBERS = ("2528", "22", "53", "80", "6010", "5436", "585", "25565", "60000", "0", "65535", "27000")
NAMES = ("ssh", "ncr_ccl", "x11", "jmap", "cl/1")


def closed(schema: Any) -> Any:  # noqa: ANN401  # a schema is JSON
    """Return a schema in which each object has the described keys only, although readers must ignore unknown ones."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    same = {key: closed(value) for key, value in schema.items()}
    return {**same, "additionalProperties": False} if "properties" in schema and "type" in schema else same


REGISTRY: Registry[Any] = Registry().with_resources(
    [(name, Resource.from_contents(closed(schema))) for name, schema in SCHEMAS.items()]
)


def check(name: str, document: object) -> None:
    """Fail with the places where a document is not what its schema says."""
    validator = Draft202012Validator({"$ref": name}, registry=REGISTRY)
    errors = [
        f"{'/'.join(map(str, leaf.absolute_path))}: {leaf.message[:300]}"
        for error in validator.iter_errors(document)
        for leaf in (error.context or [error])
    ]
    assert not errors, "\n".join(errors)


def asked(*words: str) -> Any:  # noqa: ANN401  # JSON
    """Return the JSON document that the command prints."""
    done = portulan(*words)
    assert done.returncode in CODES
    return json.loads(done.stdout)


def lines(*words: str) -> list[Any]:
    """Return the JSON documents that the command prints, one a line."""
    return [json.loads(line) for line in portulan(*words).stdout.splitlines()]


@pytest.fixture
def held_port() -> Iterator[int]:
    """Hold a port, and a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]):
        yield server.getsockname()[1]


# --------------------------------------------------------------------------------------------------- the schemas


def objects_of(schema: object, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema of an object, with its place."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            yield path, schema
        for key, value in schema.items():
            yield from objects_of(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_of(value, path)


WRITTEN = {"policy-1.json"}
"""Schemas of what people write: keys may be left out, and unknown ones are refused; tests/judge has their tests."""

OBJECTS = [
    found for name, schema in sorted(SCHEMAS.items()) if name not in WRITTEN for found in objects_of(schema, name)
]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_a_schema(name: str) -> None:
    """Each file is JSON Schema 2020-12, names its document and is called after it."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    document, version = SCHEMAS[name]["title"].removeprefix("portulan.").split("/")
    assert name == f"{document}-{version}.json"


@pytest.mark.parametrize(("path", "schema"), OBJECTS, ids=[path for path, _ in OBJECTS])
def test_all_keys_are_required_and_described(path: str, schema: dict[str, Any]) -> None:
    """All keys are always present, each has one sentence that describes it, and unknown keys are allowed."""
    assert list(schema["properties"]) == schema["required"], path
    assert "additionalProperties" not in schema
    for key, value in schema["properties"].items():
        name, _, pointer = value.get("$ref", "").partition("#/")
        described = value
        if "description" not in value:
            described = SCHEMAS[name or path.partition("/")[0]]
            for step in pointer.split("/"):
                described = described[step]
        assert described["description"].endswith("."), f"{path}: {key}"
        assert described["description"].count(". ") == 0, f"{path}: {key}"


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_the_schema_has_the_fields_of_the_model(noun: str) -> None:
    """Every field of the model is a key, in this order and under this name."""
    assert list(SCHEMAS["lookup-1.json"]["$defs"][noun]["properties"]) == list(NOUNS[noun]._fields)


@pytest.mark.parametrize("noun", sorted(NOUNS_OF_A_CHECK))
def test_the_schema_of_a_check_has_the_fields_of_its_nouns(noun: str) -> None:
    """Every field of what a check finds is a key; a line's document has its name and then the fields of a finding."""
    properties = SCHEMAS["check-1.json"]["$defs"][noun]["properties"]
    assert list(properties) == list(NOUNS_OF_A_CHECK[noun]._fields)
    assert list(SCHEMAS["finding-1.json"]["properties"]) == ["schema", *findings.Finding._fields]
    assert SCHEMAS["check-1.json"]["$defs"]["rule"]["properties"]["effect"]["enum"] == literals(policy)["Effect"]
    for key, name in (("attention", "Attention"), ("direction", "Direction")):
        assert SCHEMAS["check-1.json"]["$defs"]["finding"]["properties"][key]["enum"] == literals()[name]


def test_the_schema_of_a_claim_has_the_fields_of_the_model() -> None:
    """A claim and its holder have the fields of the model; a line's document has its name and then the same."""
    defined = SCHEMAS["claims-1.json"]["$defs"]
    assert list(defined["claim"]["properties"]) == list(model.Claim._fields)
    assert list(defined["holder"]["properties"]) == list(model.Holder._fields)
    assert list(SCHEMAS["claim-1.json"]["properties"]) == ["schema", *model.Claim._fields]
    assert defined["claim"]["properties"]["scope"]["enum"] == literals()["Scope"]


def literals(module: ModuleType = model) -> dict[str, list[str]]:
    """Return the closed enumerations of the model or another module, as a type checker sees them."""
    found = {}
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Subscript(value=ast.Name(id="Literal"), slice=values)
            ):
                found[name] = list(ast.literal_eval(values))
    return found


def test_the_schema_of_an_event_has_the_fields_of_the_model() -> None:
    """An event's document has its name and then the fields of the model; its kinds are those of the model."""
    properties = SCHEMAS["event-1.json"]["properties"]
    assert list(properties) == ["schema", *model.Event._fields]
    assert properties["event"]["enum"] == literals()["EventKind"]


@pytest.mark.parametrize(("where", "name"), ENUMERATIONS.items(), ids=list(ENUMERATIONS.values()))
def test_the_schema_has_the_enumerations_of_the_model(where: tuple[str, str], name: str) -> None:
    """A closed enumeration has the same members in the schema as in the model."""
    noun, key = where
    listed = SCHEMAS["lookup-1.json"]["$defs"][noun]["properties"][key]["enum"]
    assert [member for member in listed if member is not None] == literals()[name]


def test_the_schema_of_a_drift_has_the_fields_of_its_values() -> None:
    """A difference has its fields and then what is made of it; what can change are the aspects that are compared."""
    fields = [*Drift._fields, "verdict", "attention", "rule"]
    assert list(SCHEMAS["diff-1.json"]["$defs"]["drift"]["properties"]) == fields
    assert list(SCHEMAS["drift-1.json"]["properties"]) == ["schema", *fields]
    change = SCHEMAS["diff-1.json"]["$defs"]["change"]["properties"]
    assert list(change) == list(Change._fields)
    assert change["what"]["enum"] == list(ASPECTS)


def test_a_wrong_document_is_noticed() -> None:
    """The check sees a missing key, an unknown key, a foreign word and a wrong type, wherever they are."""
    good = port_document(lookup(22))  # type: ignore[arg-type]  # a number's answer
    check("lookup-1.json", good)
    grade = good["transports"]["tcp"]["grade"]
    for changed in (
        {key: value for key, value in good.items() if key != "verdicts"},
        {**good, "surprise": 1},
        {**good, "tier": "well-known"},
        {**good, "port": "22"},
        {
            **good,
            "transports": {**good["transports"], "tcp": {**good["transports"]["tcp"], "grade": {**grade, "x": 1}}},
        },
    ):
        with pytest.raises(AssertionError):
            check("lookup-1.json", changed)


# ------------------------------------------------------------------------------------------------ what is printed


def test_the_contract_of_2528() -> None:
    """The document of 2528 is the one that the contract shows, key by key and in its order."""
    row = {
        "service_name": "ncr-ccl",
        "aliases": ["ncr_ccl"],
        "ports": {"first": 2528, "last": 2528},
        "transport": "tcp",
        "description": 'NCR CCL\nIANA assigned this well-formed service name as a replacement for "ncr_ccl".',
        "assignee": "[Amitava_Dutta]",
        "contact": "[Amitava_Dutta]",
        "registration_date": None,
        "modification_date": None,
        "reference": None,
        "service_code": None,
        "unauthorized_use_reported": None,
        "assignment_notes": None,
    }
    grade = {
        "registration": "name-only",
        "specification": None,
        "implemented_by": [],
        "reasons": ["IANA's row has no date", "IANA's row cites no document"],
    }
    nothing: dict[str, Any] = {"state": "unassigned", "grade": None, "assignments": [], "other_rows": []}
    use = {
        "product": "3CX Phone System",
        "vendor": "3CX",
        "ports": {"first": 2528, "last": 2528},
        "transport": "tcp",
        "direction": "connect",
        "protocol": "smtp",
        "relation": "unofficial",
        "role": "notification e-mail through 3CX SMTP service",
        "default": True,
        "citation": {"title": "Svetek: 3CX deploy on Azure, copy of the 3CX ports table"},
        "attestation": "reported",
        "program_known": True,
    }
    document = asked("lookup", "2528", "--json")
    url = document["known_uses"][0]["citation"].pop("url")
    assert url.startswith("https://github.com/svetek/")
    expected = {
        "schema": "portulan.lookup/1",
        "query": "2528",
        "port": 2528,
        "tier": "user",
        "snapshot": "2026-02",
        "transports": {
            "tcp": {"state": "assigned", "grade": grade, "assignments": [row], "other_rows": []},
            "udp": {
                "state": "assigned",
                "grade": grade,
                "assignments": [{**row, "transport": "udp"}],
                "other_rows": [],
            },
            "sctp": nothing,
            "dccp": nothing,
        },
        "known_uses": [use, *document["known_uses"][1:]],
        "observations": None,
        "verdicts": None,
        "incomplete": [],
        "history": None,
        "claims": None,
    }
    assert json.dumps(document, indent=1) == json.dumps(expected, indent=1)  # as text: the order of keys counts


def test_lookup_of_numbers() -> None:
    """`lookup` of numbers of every kind prints the object of a number, as JSON Lines one a line."""
    documents = lines("lookup", *NUMBERS, "--format", "jsonl")
    assert [str(document["port"]) for document in documents] == list(NUMBERS)
    for document in documents:
        check("lookup-1.json", document)
        assert document["transports"] is not None
        assert document["observations"] is None


@pytest.mark.parametrize("name", NAMES)
def test_lookup_of_a_name(name: str) -> None:
    """`lookup` of a service name prints the object of a name; its lines are those of its ports, or else its services.

    A line of a service without a port is the object of a name with one service.
    """
    document = asked("lookup", name, "--json")
    check("lookup-1.json", document)
    assert list(document) == ["schema", "query", "results", "services"]
    assert bool(document["results"]) == any(row["ports"] for row in document["services"])
    services = [{**document, "services": [row]} for row in document["services"]]
    assert lines("lookup", name, "--format", "jsonl") == (document["results"] or services)
    for line in lines("lookup", name, "--format", "jsonl"):
        check("lookup-1.json", line)


def test_who_prints_the_territory_alone(held_port: int) -> None:
    """`who` prints the object of a number with its sockets; map and verdicts were not asked and are null."""
    document = asked("who", str(held_port), "--json")
    check("lookup-1.json", document)
    assert document["observations"]
    assert [document[key] for key in ("snapshot", "transports", "known_uses", "verdicts")] == [None] * 4


def test_the_page_prints_everything(held_port: int) -> None:
    """The page prints map, sockets and verdicts; the verdicts are about the sockets, in their order."""
    document = asked(str(held_port), "--json")
    check("lookup-1.json", document)
    assert document["transports"]
    assert {seen["direction"] for seen in document["observations"]} >= {"listen"}
    assert [verdict["subject"] for verdict in document["verdicts"]] == document["observations"]


MANY = 200
"""So many sockets of a machine are compared with the schema: it may have thousands, and they are of few kinds."""


@pytest.mark.parametrize("words", [(), ("list",), ("list", "--all", "--all-owners", "--with-command-lines")])
def test_the_list_of_a_machine(held_port: int, words: tuple[str, ...]) -> None:
    """The list is one document as JSON, and a document a socket as JSON Lines."""
    document = asked(*words, "--json")
    assert held_port in {verdict["subject"]["local"]["port"] for verdict in document["verdicts"]}
    document["verdicts"] = document["verdicts"][:MANY]
    check("list-1.json", document)
    verdicts = lines(*words, "--format", "jsonl")
    assert verdicts
    for verdict in verdicts[:MANY]:
        check("verdict-1.json", verdict)


def test_who_without_a_port(held_port: int) -> None:
    """`who` alone prints every socket that holds a port, without the map: one document, or a document a socket."""
    document = asked("who", "--json")
    assert held_port in {observation["local"]["port"] for observation in document["observations"]}
    document["observations"] = document["observations"][:MANY]
    check("observations-1.json", document)
    observations = lines("who", "--format", "jsonl")
    assert held_port in {observation["local"]["port"] for observation in observations}
    for observation in observations[:MANY]:
        check("observation-1.json", observation)


def test_a_watch(held_port: int) -> None:
    """A watch prints a document an event; what is there at the beginning is one, if it is asked for."""
    events = lines("watch", str(held_port), "--present", "--all", "--for", "0.1", "--jsonl")
    assert {(event["event"], event["observation"]["direction"]) for event in events} >= {
        ("present", "listen"),
        ("present", "connect"),
    }
    for event in events:
        check("event-1.json", event)
        assert event["verdict"]["subject"] == event["observation"]


def test_the_history_of_a_port(held_port: int, tmp_path: Path) -> None:
    """With a recording the object of a number has its history; with an empty one, nothing but the key."""
    recording = str(tmp_path / "history.sqlite")
    assert portulan("watch", str(held_port), "--record", recording, "--for", "0.1").returncode in CODES
    for verb in ((), ("who",)):
        document = asked(*verb, str(held_port), "--json", "--history", recording)
        check("lookup-1.json", document)
        assert {episode["direction"] for episode in document["history"]} == {"listen", "connect"}
    assert asked("1", "--json", "--history", recording)["history"] == []


@pytest.mark.parametrize(
    "words", [("voip", "mail"), ("rfc4960",), ("Amitava Dutta",), ("nothing is called like this",)]
)
def test_search(words: tuple[str, ...]) -> None:
    """A search is one document as JSON, and a document a hit as JSON Lines."""
    document = asked("search", *words, "--json")
    check("search-1.json", document)
    found = lines("search", *words, "--format", "jsonl")
    for hit in found:
        check("search-1.json", hit)
    assert found == [{"schema": "portulan.search/1", **hit} for hit in document["results"]]


# --------------------------------------------------------------------------------------------- the whole registry


def check_ports(ports: Iterable[int]) -> int:
    """Check the documents of many numbers, those that differ by nothing but the number once; return how many differ."""
    validator = Draft202012Validator({"$ref": "lookup-1.json#/$defs/port_answer"}, registry=REGISTRY)
    seen = set()
    for port in ports:
        document = port_document(lookup(port))  # type: ignore[arg-type]  # a number's answer
        assert (document["port"], document["query"]) == (port, str(port))
        text = json.dumps({**document, "port": 0, "query": "0"})
        if text not in seen:
            seen.add(text)
            errors = [f"{port}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]
            assert not errors, errors
    return len(seen)


def test_a_sample_of_all_ports() -> None:
    """Of each tier and kind of row, ports are documents that the schema describes."""
    assert check_ports([*range(0, 1024, 13), *range(1024, 49152, 131), 49152, 60000, 65535]) > 100


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_port() -> None:
    """Every one of the 65,536 numbers is a document that the schema describes."""
    assert check_ports(range(65_536)) > 6_000


def test_what_answers_is_what_its_schema_says() -> None:
    """`identify` prints its document as JSON and a line each as JSON Lines, with the fields of the model."""
    with serving(saying(b"SSH-2.0-Trial_1.5\r\n")) as server:
        where = f"127.0.0.1:{server.port},1"
        document = asked("identify", where, "--transcript", "--json")
        check("identify-1.json", document)
        assert document["results"][1]["protocol"] == "ssh"
        for line in lines("identify", where, "--format", "jsonl"):
            check("identify-1.json", line)
        check("lookup-1.json", asked(str(server.port), "--probe", "--json"))
    defined = SCHEMAS["identify-1.json"]["$defs"]
    assert list(defined["answer"]["properties"]) == [*model.Identification._fields, "address"]
    assert list(defined["line"]["properties"]) == ["schema", *model.Identification._fields, "address"]


def test_a_difference_is_what_its_schema_says(held_port: int, tmp_path: Path) -> None:
    """`diff` prints its document as JSON, and a document a difference as JSON Lines: of sockets and of recordings."""
    recording, lines_of, nothing = tmp_path / "history.sqlite", tmp_path / "seen.jsonl", tmp_path / "nothing.json"
    assert (
        portulan("watch", str(held_port), "--present", "--record", str(recording), "--for", "0.1").returncode in CODES
    )
    lines_of.write_text(portulan(str(held_port), "--format", "jsonl").stdout, encoding="utf-8")
    nothing.write_text('{"schema": "portulan.list/1", "verdicts": []}', encoding="ascii")
    kinds = set()
    for one, other in ((nothing, lines_of), (lines_of, nothing), (nothing, recording), (recording, nothing)):
        document = json.loads(compared(one, other, "--connections", "--format", "json").stdout)
        check("diff-1.json", document)
        found = compared(one, other, "--connections", "--format", "jsonl").stdout.splitlines()
        assert len(found) == len(document["drifts"]) == 2
        for line in found:
            check("drift-1.json", json.loads(line))
            kinds.add((json.loads(line)["drift"], json.loads(line)["direction"]))
    assert kinds == {(kind, direction) for kind in ("appeared", "gone") for direction in ("listen", "connect")}


def test_a_scan_is_what_its_schema_says(held_port: int) -> None:
    """`scan` prints its document as JSON, with a count for each host, and verdicts as JSON Lines."""
    where = f"127.0.0.1:{held_port}"
    for more in ((), ("--connect",), ("--connect", "--probe")):
        document = asked("scan", where, *more, "--json")
        check("scan-1.json", document)
        assert document["verdicts"]
        for line in lines("scan", where, *more, "--format", "jsonl"):
            check("verdict-1.json", line)
    assert set(SCHEMAS["scan-1.json"]["$defs"]["counted"]["properties"]) == set(Counted._fields)
