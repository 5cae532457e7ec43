"""Settings of an installation that nobody else uses."""

from __future__ import annotations

import uuid

import pytest

from streams.settings import Security, Settings


@pytest.fixture
def settings(kafka: str) -> Settings:
    """A broker, and a prefix of the test's own."""
    return Settings(kafka, f"test-{uuid.uuid4().hex[:8]}.", security=Security())
