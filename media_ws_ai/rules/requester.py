"""The only one who asks the model for answers: one at a time, each for a reason, none lost and none doubled.

    wish ─▶ pending ─ask─▶ asked ─created─▶ generating ─ended─▶ idle
                ▲            │ rejected        │ given up: cancel by id, the id is dead, its late audio is counted
                └────────────┴── again ────────┘

The model refuses a second response while one is active, answers a refused create with nothing but an error, and may
send audio of a response that was given up. Each has its edge here.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import CancelResponse, Command, Log, RequestResponse
from media_ws_ai.rules.refs import Refs

MAX_PENDING: Final = 8
MAX_DEAD: Final = 64
MAX_REJECTED: Final = 8
"""Refusals of one wish in a row before the connection counts as useless."""

AGAIN_S: Final = 0.5
"""After a refusal: long enough for a cancelled response to end, short enough to be no pause."""

CLOSING_S: Final = 1.0
"""How long a given-up response may take to say that it ended before the next is asked for all the same."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A reason to speak. `purpose`: greeting, resume, answer, tool, go_on. `items`: the caller's turns it answers."""

    purpose: str
    instructions: str = ""
    items: tuple[str, ...] = ()
    tries: int = 0


@dataclass(slots=True)
class _Asked:
    wish: Wish
    ref: str
    at: float
    progress_at: float
    response_id: str = ""
    has_audio: bool = False


@dataclass(slots=True)
class RequesterCounts:
    asked: int = 0
    rejected: int = 0
    unasked: int = 0
    late_deltas: int = 0
    dropped_wishes: int = 0
    late_by_id: dict[str, int] = field(default_factory=dict)


class Requester:
    """Serialises responses on one connection after another."""

    def __init__(self, refs: Refs) -> None:
        self._refs = refs
        self._pending: deque[Wish] = deque()
        self._asked: _Asked | None = None
        self._dead_refs: deque[str] = deque(maxlen=MAX_DEAD)
        self._closing: dict[str, float] = {}
        self._not_before = 0.0
        self._rejected_in_row = 0
        self.counts = RequesterCounts()

    # --- wishes -----------------------------------------------------------------------------------------------

    def wish(self, wish: Wish) -> None:
        """Ask when possible. Answers to several turns of the caller become one."""
        for i, waiting in enumerate(self._pending):
            if waiting.purpose == wish.purpose:
                items = waiting.items + tuple(item for item in wish.items if item not in waiting.items)
                self._pending[i] = replace(waiting, items=items)
                return
        if len(self._pending) >= MAX_PENDING:
            self._pending.popleft()
            self.counts.dropped_wishes += 1
        self._pending.append(wish)

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    @property
    def next_purpose(self) -> str:
        """What the next answer is for, or empty."""
        return self._pending[0].purpose if self._pending else ""

    @property
    def is_busy(self) -> bool:
        """Something was asked for and has not ended."""
        return self._asked is not None

    @property
    def generating_id(self) -> str:
        """Id of the response being generated, or empty."""
        return self._asked.response_id if self._asked else ""

    @property
    def is_useless(self) -> bool:
        """The connection refuses everything."""
        return self._rejected_in_row >= MAX_REJECTED

    def ask(self, now: float) -> list[Command]:
        """Send the oldest wish, if nothing else is under way."""
        if self._asked or not self._pending or now < self._not_before:
            return []
        if self._closing:
            self._closing = {rid: until for rid, until in self._closing.items() if until > now}
            if self._closing:
                return []
        wish = self._pending.popleft()
        ref = self._refs("ask")
        self._asked = _Asked(wish, ref, now, now)
        self.counts.asked += 1
        return [RequestResponse(ref, wish.instructions)]

    # --- the model's side -------------------------------------------------------------------------------------

    def created(self, response_id: str, ref: str | None, now: float) -> list[Command]:
        asked = self._asked
        if asked and not asked.response_id and ref in (asked.ref, None):
            asked.response_id, asked.progress_at = response_id, now
            self._rejected_in_row = 0
            return [Log(markers.response_created(response_id=response_id, purpose=asked.wish.purpose))]
        if asked and asked.response_id == response_id:
            return []
        if ref in self._dead_refs:
            return self._kill(response_id, now)
        self.counts.unasked += 1
        return [Log(markers.response_unasked(response_id=response_id)), *self._kill(response_id, now)]

    def progress(self, response_id: str, now: float, is_audio: bool = False) -> bool:
        """Something of a response came. False: it is dead, or none of ours; drop it."""
        asked = self._asked
        if asked and asked.response_id == response_id:
            asked.progress_at = now
            asked.has_audio = asked.has_audio or is_audio
            return True
        if is_audio:
            self.counts.late_deltas += 1
            late = self.counts.late_by_id
            if response_id in late or len(late) < MAX_DEAD:
                late[response_id] = late.get(response_id, 0) + 1
        return False

    def ended(self, response_id: str, ref: str | None, now: float) -> tuple[Wish | None, list[Command]]:
        """A response is over, however. Returns the wish it served, or None when it was dead or not ours."""
        self._closing.pop(response_id, None)
        self._not_before = 0.0
        late = self.counts.late_by_id.pop(response_id, 0)
        out: list[Command] = [Log(markers.response_late(response_id=response_id, deltas=late))] if late else []
        asked = self._asked
        if asked and (asked.response_id == response_id or (not asked.response_id and ref == asked.ref)):
            self._asked = None
            return asked.wish, out
        return None, out

    def rejected(self, ref: str | None, now: float) -> bool:
        """An error names one of our creates: nothing else will come of it. False when it is not the one."""
        asked = self._asked
        if not asked or asked.ref != ref or asked.response_id:
            return False
        self.counts.rejected += 1
        self._rejected_in_row += 1
        self._asked = None
        self._not_before = now + AGAIN_S
        self._put_back(asked.wish)
        return True

    # --- giving up --------------------------------------------------------------------------------------------

    def stalled_s(self, now: float) -> float:
        """How long nothing has come of what was asked for; 0 when nothing is under way."""
        return now - self._asked.progress_at if self._asked else 0.0

    @property
    def has_audio(self) -> bool:
        """Some audio of the answer under way has come."""
        return bool(self._asked and self._asked.has_audio)

    @property
    def phase(self) -> str:
        """What is being waited for, as the stall marker names it."""
        if not self._asked or not self._asked.response_id:
            return "create"
        return "answer" if self._asked.has_audio else "first_audio"

    def give_up(self, now: float) -> tuple[Wish | None, list[Command]]:
        """Abandon what is under way: cancelled by id now, or when its id becomes known. Returns its wish."""
        asked, self._asked = self._asked, None
        if asked is None:
            return None, []
        self._dead_refs.append(asked.ref)
        if not asked.response_id:
            return asked.wish, []
        return asked.wish, self._kill(asked.response_id, now)

    def _kill(self, response_id: str, now: float) -> list[Command]:
        self._closing[response_id] = now + CLOSING_S
        return [CancelResponse(self._refs("cancel"), response_id)]

    def again(self, wish: Wish, not_before: float = 0.0) -> None:
        """Put a wish back in front, with one more try counted; asked for at `not_before` at the earliest."""
        self._not_before = max(self._not_before, not_before)
        self._put_back(replace(wish, tries=wish.tries + 1))

    def _put_back(self, wish: Wish) -> None:
        """In front; what was wished meanwhile for the same purpose joins it: one answer serves both."""
        same = next((waiting for waiting in self._pending if waiting.purpose == wish.purpose), None)
        if same is not None:
            self._pending.remove(same)
            wish = replace(wish, items=wish.items + tuple(item for item in same.items if item not in wish.items))
        self._pending.appendleft(wish)

    def drop_pending(self) -> None:
        self._pending.clear()

    def link_lost(self) -> Wish | None:
        """The connection is gone with everything on it. Returns the wish that was under way."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._dead_refs.append(asked.ref)
        self._closing.clear()
        self._not_before = 0.0
        self._rejected_in_row = 0
        return asked.wish if asked else None
