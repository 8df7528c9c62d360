"""Faults of one line: late greeting of the server, expiry, freeze, stall, close, kill, and echoes that lie."""

import asyncio
import copy
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from media_ws_ai.peers.model.session import Session

ABNORMAL: Final = 1006
PEER_CHECK_S: Final = 0.25
EXPIRED: Final = "Your session hit the maximum duration of 60 minutes."
ACTS: Final = "freeze, thaw, stall, kill, expire, close:<code>"

_TCP_ESTABLISHED: Final = 1


class Line:
    """What the scenario or control does to a session's connection."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def run(self) -> None:
        """The scripted course: session.created, then freeze and expiry at their times."""
        session, scenario = self._session, self._session.scenario
        if scenario.silent:
            return
        await asyncio.sleep(scenario.session_created_delay_ms / 1000)
        session.emit("session.created", session=session.config)
        times = [(scenario.freeze_after_s, self.freeze), (scenario.expire_after_s, self.expire)]
        waited = 0.0
        for at_s, act in sorted(((at, act) for at, act in times if at is not None), key=lambda pair: pair[0]):
            await asyncio.sleep(at_s - waited)
            waited = at_s
            act()

    def act(self, what: str) -> None:
        """One of ACTS. Raises ValueError for anything else."""
        name, _, code = what.partition(":")
        if name == "close" and code.isdigit():
            self.close(int(code), "asked by control")
            return
        acts = {
            "freeze": self.freeze,
            "thaw": self.thaw,
            "stall": self._session.outbox.hold,
            "kill": lambda: self.close(ABNORMAL, "killed"),
            "expire": self.expire,
        }
        if what not in acts:
            raise ValueError(f"no act {what!r}; there are {ACTS}")
        acts[what]()

    # -- freeze ---------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Read and write nothing from now on, as a process that hangs."""
        self._flowing.clear()
        self._session.outbox.hold()
        transport = self._session.outbox.transport
        if transport is not None and transport.is_reading():
            transport.pause_reading()
        self._session.spawn(self._watch_peer())

    def thaw(self) -> None:
        """Undo freeze and stall."""
        self._flowing.set()
        self._session.outbox.release()
        transport = self._session.outbox.transport
        if transport is not None and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()

    async def thawed(self) -> None:
        await self._flowing.wait()

    async def _watch_peer(self) -> None:
        """A frozen line does not read, so it cannot see its peer leave: ask the kernel, and let the session go."""
        while not self._flowing.is_set():
            await asyncio.sleep(PEER_CHECK_S)
            transport = self._session.outbox.transport
            raw = transport.get_extra_info("socket") if transport is not None else None
            if raw is None or not hasattr(socket, "TCP_INFO"):
                return
            if raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED:
                self._session.journal.end("drop", ABNORMAL, "the peer left a frozen line")
                self._session.outbox.drop()
                self.thaw()

    # -- ends -----------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """End with a close frame, or with 1006 by tearing the connection down. A held line is released."""
        self._session.journal.end("server", code, reason)
        if code == ABNORMAL:
            self._session.outbox.drop()
        else:
            self._session.outbox.close(code, reason)
        self.thaw()

    def expire(self) -> None:
        """The session's time is up, in the scenario's way."""
        how = self._session.scenario.expire_how
        if how == "stall":
            self._session.outbox.hold()
            return
        if how == "drop":
            self.close(ABNORMAL, "expired")
            return
        if how.startswith("error"):
            error = {"type": "invalid_request_error", "code": "session_expired", "message": EXPIRED}
            self._session.emit("error", error={**error, "param": None, "event_id": None})
        if how != "error_only":
            code = int(how.rpartition("_")[2])
            self.close(code, EXPIRED if code == 1001 else "")

    # -- lies -----------------------------------------------------------------------------------------

    def spoiled_echo(self) -> dict[str, Any] | None:
        """The session as `session.updated` tells it; None for no answer. Wrong values are in force, not only told."""
        session, how = self._session, self._session.scenario.update_echo
        if how == "none":
            return None
        if how == "wrong_format":
            session.config["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": 24000}
        elif how == "wrong_flags" and session.config["audio"]["input"]["turn_detection"]:
            session.config["audio"]["input"]["turn_detection"].update(create_response=True, interrupt_response=True)
        echo = copy.deepcopy(session.config)
        if how == "no_formats":
            del echo["audio"]["input"]["format"], echo["audio"]["output"]["format"]
        return echo
