"""`leadsync dead-letters`: listed, shown, and put back where they came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.limits import REJECTED_BYTES_MAX
from schemas.rejection import Reason
from streams.codec import encode, rejection_of
from streams.policy import default_policy_text
from tests.builders import LEAD, PERSON, dynamics_row, marketo_change, person_change
from tests.operating.conftest import Installation, Sent, status_lines

pytestmark = pytest.mark.kafka

GOOD = encode(marketo_change(firstName="Ann"))
BROKEN = GOOD[:40]
HEADERS = (("ce_id", b"made-by-the-connector"),)


@pytest.fixture
def in_force(installation: Installation, tmp_path: Path) -> Installation:
    """With a policy in force, as any installation has whose worker rejected something."""
    file = tmp_path / "policy.yaml"
    file.write_text(default_policy_text(), encoding="utf-8")
    assert installation.run("policy", "apply", str(file)).exit_code == 0
    return installation


def reject(
    installation: Installation,
    body: bytes | None,
    topic: str = "marketo.changes",
    key: bytes | None = PERSON.encode(),
    reason: Reason = "unreadable",
    offset: int = 7,
    partition: int = 1,
) -> str:
    """Put a rejection into dead-letter as an agent does; returns its id."""
    rejection = rejection_of(
        topic=installation.topic(topic),
        partition=partition,
        offset=offset,
        timestamp_ms=1_772_445_600_000,
        value=body,
        headers=HEADERS,
        reason=reason,
        detail="what was wrong",
    )
    installation.write(Sent(installation.topic("dead-letter"), key, rejection))
    identity: str = json.loads(rejection)["rejection_id"]
    return identity


def test_dead_letters_are_listed(installation: Installation) -> None:
    """One line each, oldest first: id, where it stood, when, reason, detail, how the body begins."""
    first = reject(installation, BROKEN)
    second = reject(installation, b"\x00\xff\x1b[2J\n", offset=8, reason="invalid")
    rows = [line.split("\t") for line in installation.run("dead-letters").stdout.splitlines()]
    where = installation.topic("marketo.changes")
    assert [row[0] for row in rows] == [first, second]
    assert rows[0][1] == f"{where}[1]@7"
    assert rows[0][3:] == ["", "unreadable", "what was wrong", BROKEN.decode()]
    assert rows[1][6] == r"\x00\xff\x1b[2J\n"


def test_a_letter_that_was_put_back_stays_and_that_is_said(in_force: Installation) -> None:
    """A topic that is kept by time forgets nothing earlier; who puts back twice sends twice."""
    identity = reject(in_force, GOOD, reason="failed")
    assert "it stays in the list" in in_force.run("dead-letters", "put-back", identity).stderr
    listed = in_force.run("dead-letters")
    assert identity in listed.stdout
    assert status_lines(listed) == ["1 dead letter; each stays 30 days, put back or not"]
    assert "it had been put back before" in in_force.run("dead-letters", "put-back", identity).stderr
    assert "for 30 days" in in_force.run("dead-letters", "--help").stdout


def test_a_letter_that_was_put_back_is_marked_and_others_are_not(in_force: Installation, tmp_path: Path) -> None:
    """By a repeat of it beside it, which goes when it goes; the list shows each letter once all the same."""
    before, identity = (reject(in_force, BROKEN, offset=offset, key=None, reason="no_key") for offset in (1, 2))
    file = tmp_path / "corrected.json"
    file.write_bytes(GOOD)
    put = ("dead-letters", "put-back", identity, "--body", str(file), "--key", PERSON)
    assert in_force.run(*put).exit_code == 0
    found = json.loads(in_force.run("dead-letters", "--json").stdout)
    assert found["count"] == 2
    marks = {letter["rejection_id"]: letter["put_back"] for letter in found["dead_letters"]}
    [put_back] = in_force.read("marketo.changes")
    at = marks[identity]["at"]
    assert marks == {before: None, identity: {"partition": put_back.partition, "offset": put_back.offset, "at": at}}
    assert [row.split("\t")[3] for row in in_force.run("dead-letters").stdout.splitlines()] == ["", at]
    assert f"put back:     {at}, to" in in_force.run("dead-letters", "show", identity).stderr
    letter, mark = (each for each in in_force.read("dead-letter") if identity.encode() in each.value)
    assert (mark.partition, mark.key, mark.timestamp) == (letter.partition, letter.key, letter.timestamp)
    repeated = json.loads(mark.value)
    assert repeated.pop("put_back")["offset"] == put_back.offset and repeated == json.loads(letter.value)


def test_dead_letters_as_json(installation: Installation) -> None:
    """One object; `count` is of all that match, whatever the limit; a message that is no rejection is passed over."""
    for offset in range(4):
        reject(installation, BROKEN, offset=offset)
    reject(installation, BROKEN, offset=9, reason="no_key", key=None)
    installation.write(Sent(installation.topic("dead-letter"), None, b"not ours"))
    result = installation.run("dead-letters", "--json", "--limit", "2", "--reason", "unreadable")
    found = json.loads(result.stdout)
    assert found["count"] == 4
    assert [letter["offset"] for letter in found["dead_letters"]] == [2, 3]
    assert "passed over 1 message of another kind" in result.stderr
    [without_key] = json.loads(installation.run("dead-letters", "list", "--json", "--reason", "no_key").stdout)[
        "dead_letters"
    ]
    assert without_key["key"] is None and without_key["cut"] is False


def test_a_body_is_shown_as_it_came(installation: Installation, tmp_path: Path) -> None:
    """`show` prints the bytes, or writes them to a file; the rest is told beside them."""
    body = b'{"a": "\xff\x00"}'
    identity = reject(installation, body)
    file = tmp_path / "body.json"
    result = installation.run("dead-letters", "show", identity[:8])
    assert result.stdout_bytes == body
    assert f"{len(body)} bytes" in result.stderr
    assert installation.run("dead-letters", "show", identity, "--out", str(file)).stdout == ""
    assert file.read_bytes() == body


def test_a_file_that_cannot_be_written_is_one_line(installation: Installation, tmp_path: Path) -> None:
    """A mistake of the command line: exit status 2, and no traceback."""
    identity = reject(installation, BROKEN)
    shown = installation.run_apart("dead-letters", "show", identity, "--out", str(tmp_path / "no" / "file"))
    assert shown.returncode == 2
    assert (
        shown.stderr.splitlines()[-1]
        == f"leadsync: {tmp_path / 'no' / 'file'} cannot be written: No such file or directory"
    )


@pytest.mark.parametrize("identity", ["abc", "00000000"])
def test_an_id_must_be_of_one_letter(installation: Installation, identity: str) -> None:
    """An id too short, or of no letter, is one line and exit status 1."""
    reject(installation, BROKEN)
    result = installation.run("dead-letters", "show", identity)
    assert result.exit_code == 1
    assert len(status_lines(result)) == 1


def test_a_corrected_body_goes_back_to_its_stream(in_force: Installation, tmp_path: Path) -> None:
    """Same topic, key, partition and headers; the place where it now stands is the result."""
    identity = reject(in_force, BROKEN)
    file = tmp_path / "corrected.json"
    file.write_bytes(GOOD)
    result = in_force.run("dead-letters", "put-back", identity, "--body", str(file))
    [record] = in_force.read("marketo.changes")
    assert result.stdout == f"{in_force.topic('marketo.changes')}[1]@0\n"
    assert (record.key, record.value, record.partition) == (PERSON.encode(), GOOD, 1)
    assert record.headers == HEADERS


def test_what_was_rejected_for_a_fault_of_ours_goes_back_as_it_came(in_force: Installation) -> None:
    """A good body on which the core raised needs no correction once the core is mended."""
    identity = reject(in_force, GOOD, reason="failed")
    assert in_force.run("dead-letters", "put-back", identity).exit_code == 0
    assert [record.value for record in in_force.read("marketo.changes")] == [GOOD]


def test_what_would_be_rejected_again_is_refused(in_force: Installation) -> None:
    """The agent that would read it says why; `--force` sends it all the same."""
    identity = reject(in_force, BROKEN)
    refused = in_force.run("dead-letters", "put-back", identity)
    assert refused.exit_code == 1
    assert "it would be rejected again, as unreadable: not JSON in UTF-8" in refused.stderr
    assert in_force.read("marketo.changes") == []
    assert in_force.run("dead-letters", "put-back", identity, "--force").exit_code == 0
    assert [record.value for record in in_force.read("marketo.changes")] == [BROKEN]


def test_a_good_body_under_a_wrong_key_is_refused_until_the_key_is_given(in_force: Installation) -> None:
    """A key can be what is wrong: `--key` corrects it, and the message goes where that key belongs."""
    body = encode(dynamics_row())
    identity = reject(in_force, body, topic="dynamics.changes", key=None, reason="no_key")
    refused = in_force.run("dead-letters", "put-back", identity)
    assert "as no_key: the message has no key" in refused.stderr
    wrong = in_force.run("dead-letters", "put-back", identity, "--key", "another")
    assert "as wrong_key" in wrong.stderr
    assert in_force.run("dead-letters", "put-back", identity, "--key", LEAD).exit_code == 0
    [record] = in_force.read("dynamics.changes")
    assert record.key == LEAD.encode()


def test_a_body_that_was_cut_is_refused(in_force: Installation, tmp_path: Path) -> None:
    """Of a long body only the beginning is kept: the whole must be given."""
    identity = reject(in_force, b" " * (REJECTED_BYTES_MAX + 1), reason="oversized")
    refused = in_force.run("dead-letters", "put-back", identity, "--force")
    assert refused.exit_code == 1
    assert "65,536 of its 65,537 bytes" in refused.stderr
    file = tmp_path / "whole.json"
    file.write_bytes(GOOD)
    assert in_force.run("dead-letters", "put-back", identity, "--body", str(file)).exit_code == 0


def test_a_change_under_an_unknown_policy_is_refused_even_by_force(in_force: Installation) -> None:
    """It would end every worker that reads it instead of being rejected."""
    body = encode(person_change(policy="f" * 64))
    identity = reject(in_force, body, topic="person.changes", key=b"p-775", reason="failed")
    result = in_force.run("dead-letters", "put-back", identity, "--force")
    assert result.exit_code == 1
    assert "a worker would end on it" in result.stderr
    assert in_force.read("person.changes") == []


def test_nothing_is_put_on_topics_that_are_not_ours(in_force: Installation) -> None:
    """A letter that names another topic than those leadsync reads is refused."""
    identity = reject(in_force, GOOD, topic="activity-log")
    result = in_force.run("dead-letters", "put-back", identity)
    assert result.exit_code == 1
    assert f"it came from {in_force.topic('activity-log')}" in result.stderr


def test_a_group_option_counts_for_its_commands(installation: Installation) -> None:
    """What is said before the subcommand goes for it, and before what the environment says."""
    reject(installation, BROKEN)
    result = installation.run("dead-letters", "--prefix", "elsewhere-", "list")
    assert "elsewhere-dead-letter" in str(result.exception)
    assert (
        installation.run(
            "dead-letters", "--prefix", "elsewhere-", "list", "--prefix", installation.settings.prefix
        ).exit_code
        == 0
    )
