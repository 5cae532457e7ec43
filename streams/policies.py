"""The policies that stand on the topic `policies`: read to the end before a worker is ready, and followed.

A policy's text and rule files stand under their digest; `in-force` names the digest that intake stamps on changes. `sync`
folds every change under its own digest, whatever is in force by then. (Design, "Flow": policy is part of the history.)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import ValidationError

from schemas.limits import ID_CHARACTERS_MAX
from schemas.policy_record import IN_FORCE, PolicyRecord
from streams import cloudevents
from streams.policy import PolicyError, digest_of, read_policy
from streams.settings import Settings, SettingsError
from streams.sync.policy import Policy

log = logging.getLogger(__name__)

POLICY = cloudevents.type_of("policy/1")
FIND_SECONDS = 30.0


class PolicyMissingError(Exception):
    """A change is stamped with a digest that `policies` does not hold. No producer can cause it; the process ends."""


class PolicyBook:
    """What the topic `policies` says. `read_to_end` first; then `follow` in a task of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partition = TopicPartition(settings.topic("policies"), 0)
        self._records: dict[str, PolicyRecord] = {}
        self._compiled: dict[str, Policy] = {}
        self._digest_in_force: str | None = None
        self._consumer: Any = None
        self._news = asyncio.Event()

    @property
    def digest_in_force(self) -> str | None:
        """The digest in force; None while nothing was applied."""
        return self._digest_in_force

    @property
    def in_force(self) -> Policy:
        """The policy in force. Raises PolicyMissingError where its text is missing."""
        policy = self.known(self._digest_in_force or "")
        if policy is None:
            raise PolicyMissingError(f"{self._partition.topic}: the policy in force is missing")
        return policy

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all policies that were read, in the order in which they were applied first."""
        return tuple(self._records)

    def record(self, digest: str) -> PolicyRecord | None:
        """The texts under a digest."""
        return self._records.get(digest)

    def known(self, digest: str) -> Policy | None:
        """The policy of a digest, checked and compiled; None while it has not been read."""
        policy = self._compiled.get(digest)
        if policy is None and (record := self._records.get(digest)) is not None:
            policy = self._compiled[digest] = read_policy(record.text or "", record.rules, digest[:12])
        return policy

    async def find(self, digests: Iterable[str]) -> None:
        """Wait until all these digests have been read. Raises PolicyMissingError when they do not come."""
        wanted = set(digests)
        try:
            async with asyncio.timeout(FIND_SECONDS):
                while any(digest not in self._records for digest in wanted):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = ", ".join(sorted(wanted - self._records.keys()))
            raise PolicyMissingError(f"{self._partition.topic} does not hold {missing}") from None

    async def read_to_end(self) -> None:
        """Read the whole topic; what comes later is for `follow`."""
        self._consumer = AIOKafkaConsumer(
            **self._settings.client("policies"),
            isolation_level="read_committed",
            enable_auto_commit=False,
            # Not "latest" and then a seek: the fetch at the end that goes out in between is held for half a second.
            auto_offset_reset="earliest",
        )
        await self._consumer.start()
        self._consumer.assign([self._partition])
        end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        while await self._consumer.position(self._partition) < end:
            await self._take(timeout_ms=200)

    async def follow(self) -> None:
        """Take whatever is applied from now on."""
        while True:
            await self._take(timeout_ms=1_000)

    async def close(self) -> None:
        """Let go of the consumer."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _take(self, timeout_ms: int) -> None:
        for records in (await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)).values():
            for record in records:
                self.learn(record.key, record.value)

    def learn(self, key: bytes | None, value: bytes | None) -> None:
        """Only what `leadsync policy apply` could have written is taken; anything else on the topic is passed over."""
        try:
            record = PolicyRecord.model_validate_json(value or b"")
            name = (key or b"").decode()
            if name == IN_FORCE and record.digest in self._records:
                self._digest_in_force = record.digest
                log.info("policy in force: %s", record.digest)
            elif name == record.digest and digest_of(record.text or "", record.rules) == name:
                read_policy(record.text or "", record.rules, name[:12])
                self._records[name] = record
            else:
                shown = name[:ID_CHARACTERS_MAX]
                log.error("%s: passed over a message that is no policy: key %r", self._partition.topic, shown)
        except (ValidationError, UnicodeDecodeError, PolicyError) as error:
            log.error("%s: passed over a message that is no policy: %s", self._partition.topic, error)
        self._news.set()


async def apply_policy(settings: Settings, text: str, rules: dict[str, str]) -> str:
    """Write a checked policy under its digest, then put it in force; returns the digest. Raises PolicyError."""
    digest = digest_of(text, rules)
    read_policy(text, rules)
    producer = AIOKafkaProducer(**settings.client("policy-apply"), acks="all", max_request_size=4_000_000)
    await producer.start()
    try:
        texts = PolicyRecord(digest=digest, text=text, rules=rules)
        for key, record in ((digest, texts), (IN_FORCE, PolicyRecord(digest=digest))):
            headers = cloudevents.headers(f"{key}/{digest}", POLICY, cloudevents.source_of("policy"))
            body = record.model_dump_json(exclude_none=True).encode()
            await producer.send_and_wait(
                settings.topic("policies"), body, key.encode(), partition=0, headers=list(headers)
            )
    finally:
        await producer.stop()
    return digest


async def ensure_policy(settings: Settings, book: PolicyBook, text: str, rules: dict[str, str], *, asked: bool) -> None:
    """Put this policy in force where none is; where one is, refuse a file that was asked for and differs from it."""
    digest = digest_of(text, rules)
    if book.digest_in_force is None:
        await apply_policy(settings, text, rules)
        await book.close()
        await book.read_to_end()
    elif asked and book.digest_in_force != digest:
        raise SettingsError(
            f"--policy: the file's digest is {digest[:12]}…, in force is {book.digest_in_force[:12]}…; "
            "`leadsync policy apply FILE` changes it, or leave --policy out"
        )
