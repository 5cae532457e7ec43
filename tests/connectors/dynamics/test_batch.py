"""Batches: as many answers as operations, in their order, or nothing is known of any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.dynamics.batch import PARTS_MAX, Part, read, written
from streams.connectors.rest import Answer, OutcomeUnknown

ONE = (
    "--b1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    'HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\nETag: W/"915244"\r\n\r\n'
    '{"leadid":"6f0e","jobtitle":"CTO"}\r\n'
)
TWO = "--b1\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n\r\n"
THREE = (
    "--b1\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 412 Precondition Failed\r\n\r\n"
    '{"error":{"code":"0x80060882","message":"The version\\nis another"}}\r\n'
)
END = "--b1--\r\n"


def answered(text: str, content_type: str = "multipart/mixed; boundary=b1") -> Answer:
    return Answer(200, text.encode(), {"content-type": content_type})


def test_each_part_has_its_own_answer_in_order() -> None:
    """Status, headers and body; an error is an answer too."""
    first, second, third = read(answered(ONE + TWO + THREE + END), 3)
    assert (first.status, first.json(), first.headers["etag"]) == (
        200,
        {"leadid": "6f0e", "jobtitle": "CTO"},
        'W/"915244"',
    )
    assert (second.status, second.body) == (204, b"")
    assert (third.status, third.json()["error"]["code"]) == (412, "0x80060882")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/mixed; boundary=b1", 'Multipart/Mixed;boundary="b1"', 'multipart/mixed; charset=x; boundary="b1"'],
)
def test_the_boundary_is_found_however_it_is_spelled(content_type: str) -> None:
    """With quotes, in capitals, after other parameters."""
    assert [each.status for each in read(answered(ONE + END, content_type), 1)] == [200]


def test_bare_line_ends_and_what_stands_around_the_parts_do_no_harm() -> None:
    """Intermediaries rewrite line ends; a preamble and an epilogue are allowed."""
    text = f"a preamble\r\n{ONE}{TWO}{END}an epilogue\r\n".replace("\r\n", "\n")
    assert [each.status for each in read(answered(text), 2)] == [200, 204]


@pytest.mark.parametrize(
    ("text", "content_type", "why"),
    [
        (ONE + TWO + END, "multipart/mixed; boundary=b1", "brought 2 answers"),
        (ONE + TWO + THREE, "multipart/mixed; boundary=b1", "breaks off"),
        ("", "multipart/mixed; boundary=b1", "breaks off"),
        ('{"error":{}}', "application/json", "answered with application/json"),
        (ONE + END, "multipart/mixed", "names no boundary"),
        ("--b1\r\n\r\nno status line\r\n" * 3 + END, "multipart/mixed; boundary=b1", "no status line"),
        ("--b1\r\n--b1\r\n--b1\r\n" + END, "multipart/mixed; boundary=b1", "no status line"),
    ],
)
def test_whatever_is_not_an_answer_to_every_part_says_nothing_about_any(text: str, content_type: str, why: str) -> None:
    """The writes may have been carried out: the caller must read before anything else."""
    with pytest.raises(OutcomeUnknown, match=why):
        read(answered(text, content_type), 3)


@given(st.lists(st.sampled_from([ONE, TWO, THREE, END, "\r\n", "--b1", "HTTP/1.1 200 OK\r\n\r\n{}"]), max_size=8))
def test_no_answer_makes_the_reader_fail_otherwise(pieces: list[str]) -> None:
    """It reads them, or says that it does not know."""
    try:
        found = read(answered("".join(pieces)), 2)
    except OutcomeUnknown:
        return
    assert len(found) == 2


def test_a_batch_is_written_as_dataverse_reads_it() -> None:
    """One request in each part, with its own headers and body, and no change set."""
    parts = [
        Part("GET", "leads(1)?$select=jobtitle", {"Prefer": "x"}),
        Part("PATCH", "leads(2)", {"If-Match": 'W/"7"'}, {"jobtitle": "Größe"}),
    ]
    assert written(parts, "b1", "/api/data/v9.2/").decode() == "\r\n".join(
        [
            "--b1",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "GET /api/data/v9.2/leads(1)?$select=jobtitle HTTP/1.1",
            "Accept: application/json",
            "Prefer: x",
            "",
            "",
            "--b1",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "PATCH /api/data/v9.2/leads(2) HTTP/1.1",
            "Accept: application/json",
            'If-Match: W/"7"',
            "Content-Type: application/json; type=entry",
            "",
            '{"jobtitle":"Gr\\u00f6\\u00dfe"}',
            "--b1--",
            "",
        ]
    )


def test_a_batch_has_a_limit() -> None:
    """Dataverse refuses more than a thousand operations as a whole."""
    with pytest.raises(ValueError, match="at most 1000 parts"):
        written([Part("GET", "leads(1)")] * (PARTS_MAX + 1), "b1", "/")
