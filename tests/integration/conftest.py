"""The whole stack for tests: a carrier with its REST stand-in, and a worker under gevent or under OS threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from media_ws_ai.bench.stack import ACCOUNT_SID, Stack
from media_ws_ai.log_record import Record, read_record
from media_ws_ai.peers.carrier.process import CarrierPeer
from tests.waiting import eventually

TOKEN = "integration"


@dataclass
class Line:
    """A running stack and the carrier that calls it."""

    stack: Stack
    carrier: CarrierPeer

    def call(self, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
        """One call to its end; the carrier's report."""
        return self.calls({"steps": list(steps), "max_s": 40, **more})[0]

    def calls(self, *plans: dict[str, Any]) -> list[dict[str, Any]]:
        return self.carrier.run({"calls": list(plans)}, timeout_s=90)

    def log(self, call_sid: str) -> list[Record]:
        """What the worker logged of a call."""
        records = (read_record(line) for line in self.stack.log_lines())
        return [record for record in records if record is not None and record.call_sid == call_sid]

    def markers(self, call_sid: str) -> list[str]:
        """Names of the markers of a call, in order."""
        parsed = (record.parsed for record in self.log(call_sid))
        return [each.marker for each in parsed if each is not None]

    def fields(self, call_sid: str, marker: str) -> list[dict[str, Any]]:
        """Fields of each line of one marker."""
        parsed = (record.parsed for record in self.log(call_sid))
        return [each.fields for each in parsed if each is not None and each.marker == marker]

    def ended(self, call_sid: str) -> None:
        """Wait for the call's last line."""
        eventually(lambda: "call_metrics" in self.markers(call_sid), within_s=15)


@contextmanager
def line_of(mode: str, **settings: Any) -> Iterator[Line]:
    """A stack whose worker checks signatures and hangs up through the carrier's REST stand-in."""
    with (
        CarrierPeer(token=TOKEN, account_sid=ACCOUNT_SID) as carrier,
        Stack(
            mode=mode,  # type: ignore[arg-type]  # the fixture's parameter
            twilio_api_url=carrier.rest_url,
            token=TOKEN,
            check_schema=True,
            **settings,
        ) as stack,
    ):
        carrier.aim(stack.url)
        yield Line(stack, carrier)


@pytest.fixture(scope="module")
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """One for all tests of a module and kind of thread (see `both`, `green`); each test brings its own scenario."""
    with line_of(request.param, drain_s=8) as running:
        yield running


both = pytest.mark.parametrize("line", ["gevent", "gthread"], indirect=True, scope="module")
"""Under greenlets and under threads of the operating system: each hides faults that the other shows."""

green = pytest.mark.parametrize("line", ["gevent"], indirect=True, scope="module")
"""Where the kind of thread plays no part: as in production."""
