"""Bytes of any length in, whole frames out. The remainder is held, and counted until it leaves or is thrown away."""

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE_BYTE


class Framer:
    """Cuts one answer's audio into frames of 160 bytes; output joined equals input joined, then padding."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for the rest of their frame, 0 … 159."""
        return len(self._rest)

    def push(self, audio: bytes) -> list[bytes]:
        """Add bytes of any length; returns the whole frames that are now complete."""
        data = self._rest + audio if self._rest else audio
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        return [data[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES)]

    def finish(self) -> bytes | None:
        """End of the answer: the remainder as a frame, padded with silence, or None when there is none."""
        rest, self._rest = self._rest, b""
        if not rest:
            return None
        return rest + bytes([SILENCE_BYTE]) * (FRAME_BYTES - len(rest))

    def drop(self) -> int:
        """Throw the remainder away; returns its bytes."""
        count, self._rest = len(self._rest), b""
        return count
