"""How much was used, and what went wrong, today and in the last seven days."""

from __future__ import annotations

from collections import Counter

from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.envelope import Json
from streams.simulators.marketo.limits import days_before

WEEK_DAYS = 7


async def get_usage(call: Call) -> Answer:
    """GET /rest/v1/stats/usage.json"""
    return {"result": _usage(call, 1)}


async def get_usage_of_a_week(call: Call) -> Answer:
    """GET /rest/v1/stats/usage/last7days.json"""
    return {"result": _usage(call, WEEK_DAYS)}


async def get_errors(call: Call) -> Answer:
    """GET /rest/v1/stats/errors.json"""
    return {"result": _errors(call, 1)}


async def get_errors_of_a_week(call: Call) -> Answer:
    """GET /rest/v1/stats/errors/last7days.json"""
    return {"result": _errors(call, WEEK_DAYS)}


def _usage(call: Call, days: int) -> list[Json]:
    shown = []
    for day in days_before(call.now, days):
        users = call.meter.usage.get(day, Counter[str]())
        counts = [{"userId": user, "count": count} for user, count in users.items()]
        shown.append({"date": day, "total": sum(users.values()), "users": counts})
    return shown


def _errors(call: Call, days: int) -> list[Json]:
    shown = []
    for day in days_before(call.now, days):
        codes = call.meter.errors.get(day, Counter[str]())
        counts = [{"errorCode": code, "count": count} for code, count in sorted(codes.items())]
        shown.append({"date": day, "total": sum(codes.values()), "errors": counts})
    return shown
