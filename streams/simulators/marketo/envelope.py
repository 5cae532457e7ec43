"""How every answer of the REST API is wrapped: requestId, success, and result or errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818  an answer, not a failure of ours
    """The whole call is refused: a response-level error, HTTP 200 unless `status` says otherwise."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.status = code, message, status


class Skipped(Exception):  # noqa: N818
    """One record of a call is passed over: a record-level error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message = code, message

    def as_result(self, reasons: str = "reasons", **more: Any) -> Json:
        """The record's entry in `result`."""
        return {**more, "status": "skipped", reasons: [{"code": self.code, "message": self.message}]}


def succeeded(request_id: str, members: Mapping[str, Any]) -> Json:
    """An answer with these members."""
    return {"requestId": request_id, "success": True, **members}


def failed(request_id: str, code: str, message: str) -> Json:
    """An answer that says what is wrong with the call."""
    return {"requestId": request_id, "success": False, "errors": [{"code": code, "message": message}]}
