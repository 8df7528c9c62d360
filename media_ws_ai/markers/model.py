"""Markers of the model side: connection, session, responses, faults."""

from media_ws_ai.markers.fields import Int, Pairs, Text, Word
from media_ws_ai.markers.line import ERROR, WARNING, marker


@marker("-", "[MODEL] connected in {took_ms}ms")
def model_connected(*, took_ms: Int) -> None:
    """The socket is open."""


@marker("-", "[MODEL] session ready in {took_ms}ms model={model} voice={voice} transcription={transcription}")
def model_ready(*, took_ms: Int, model: Word, voice: Word, transcription: Word) -> None:
    """`session.updated` echoed what was asked."""


@marker("-", "[MODEL] session not as asked: {detail}", level=ERROR)
def model_not_as_asked(*, detail: Text) -> None:
    """The echo differs: an apology and the end, not static."""


@marker("-", "[MODEL] connect failed attempt={attempt}: {reason}", level=WARNING)
def model_connect_failed(*, attempt: Int, reason: Text) -> None:
    """No connection; retried within bounds."""


@marker("-", "[MODEL] lost: {reason}", level=WARNING)
def model_lost(*, reason: Text) -> None:
    """The connection ended without our asking."""


@marker("-", "[MODEL] renewing attempt={attempt} reason={reason}", level=WARNING)
def model_renewing(*, attempt: Int, reason: Word) -> None:
    """A new session with the history as text."""


@marker("-", "[MODEL] renewed in {took_ms}ms turns={turns}")
def model_renewed(*, took_ms: Int, turns: Int) -> None:
    """The new session is ready; `turns` of history were given."""


@marker("-", "[MODEL] stall: {phase} silent for {silent_ms}ms", level=WARNING)
def model_stall(*, phase: Word, silent_ms: Int) -> None:
    """Nothing came after a create: cancel, retry once, renew."""


@marker("-", "[MODEL] fallback transcription {model} instead of {refused}", level=WARNING)
def model_fallback_transcription(*, model: Word, refused: Word) -> None:
    """The transcription model was refused or failed."""


@marker("-", "[MODEL] error code={code} {verdict} message='{message}'", level=WARNING)
def model_error(*, code: Word, verdict: Word, message: Text = "") -> None:
    """An error event; `verdict` is `tolerated`, `retried`, `renewed` or `fatal`."""


@marker("-", "[RESPONSE] Created: {response_id} purpose={purpose}")
def response_created(*, response_id: Word, purpose: Word) -> None:
    """The model began an answer."""


@marker("-", "[RESPONSE] Done: {response_id} status={status} audio_ms={audio_ms}")
def response_done(*, response_id: Word, status: Word, audio_ms: Int) -> None:
    """The model finished an answer."""


@marker("-", "[RESPONSE] Late: {response_id} deltas={deltas} dropped")
def response_late(*, response_id: Word, deltas: Int) -> None:
    """Audio of a response that was given up arrived later."""


@marker("-", "[RESPONSE] Unasked: {response_id} cancelled", level=WARNING)
def response_unasked(*, response_id: Word) -> None:
    """The model answers without having been asked."""


@marker("-", "[RESPONSE] Rejected: {reason}", level=WARNING)
def response_rejected(*, reason: Text) -> None:
    """A create was refused."""


@marker("-", "[USAGE]{tokens}")
def usage(*, tokens: Pairs) -> None:
    """Tokens by kind, of one response or of the call."""
