"""The caller's part: performs each step of the script on the stream that is open, when it is due."""

from collections.abc import Callable
from typing import Final

from media_ws_ai.peers.carrier.line import Line
from media_ws_ai.peers.carrier.mouth import utterance
from media_ws_ai.peers.carrier.plan import Step
from media_ws_ai.peers.carrier.stream import MediaStream

STEPS_PER_TICK: Final = 16

End = Callable[[str, str, str], None]
"""End the call: (by, how, reason); how is `stopped`, `reset` or `reset_stream`."""


class Conductor:
    """Asked at every tick of the open stream."""

    def __init__(self, line: Line, end: End) -> None:
        self._line = line
        self._end = end
        self._await_until: float | None = None
        self._await_ms = 0

    def __call__(self, stream: MediaStream, now: float) -> None:
        """Perform what is due now."""
        if self._await_until is not None:
            if now >= self._await_until:
                self._await_until = None
                self._end("caller", "stopped", f"the far end did not hang up within {self._await_ms / 1000:g} s")
            return
        script = self._line.script
        for _ in range(STEPS_PER_TICK):
            if not stream.busy:
                script.step_done(now)
            step = script.next_step(self._line.ear, now)
            if step is None or not stream.open:
                return
            for _ in range(step.times):
                self.perform(step, stream, now)

    def perform(self, step: Step, stream: MediaStream, now: float) -> None:
        """Do what the step says, now."""
        line = self._line
        match step.do:
            case "say":
                stream.mouth.say(utterance(step.text))
            case "dtmf":
                stream.press(step.text, now)
            case "wait":
                stream.wait(step.ms, now)
            case "silence":
                stream.mouth.be_silent(step.ms)
            case "gap":
                line.note("gap", now, length_ms=step.ms)
                stream.gap(step.ms)
            case "await_end":
                self._await_until, self._await_ms = now + step.ms / 1000, step.ms
            case "hangup":
                self._end("caller", "stopped", "the caller hung up")
            case "reset":
                self._end("caller", "reset" if step.text == "call" else "reset_stream", "connection reset by the plan")
            case "stop_reading" | "resume_reading" | "thaw":
                line.note(step.do, now)
                getattr(stream, step.do)()
            case "freeze":
                line.note("freeze", now)
                stream.frozen = True
            case "rubbish":
                line.note("rubbish", now, kind=step.text)
                stream.send_rubbish(step.text)
