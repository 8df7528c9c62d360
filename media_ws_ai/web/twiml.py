"""The carrier's instructions, by its own library: open a stream, or say something polite and end."""

from twilio.twiml.voice_response import Connect, VoiceResponse

from media_ws_ai import clips


def open_stream(*, stream_url: str, action_url: str, status_url: str, token: str, attempt: int) -> str:
    """Connect the call to our websocket; whatever ends the stream, `action_url` is asked how to go on."""
    response = VoiceResponse()
    connect = Connect(action=action_url, method="POST")
    stream = connect.stream(url=stream_url, status_callback=status_url, status_callback_method="POST")
    stream.parameter(name="tok", value=token)
    stream.parameter(name="attempt", value=str(attempt))
    response.append(connect)
    return str(response)


def say_and_end(clip_url: str) -> str:
    """Play one of our clips, then hang up."""
    response = VoiceResponse()
    response.play(clip_url)
    response.hangup()
    return str(response)


def wait_and_ask(clip_url: str, url: str) -> str:
    """Play one of our clips, then ask again: by then another worker answers."""
    response = VoiceResponse()
    response.play(clip_url)
    response.redirect(url, method="POST")
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def nothing() -> str:
    """The call is over already; nothing is asked of the carrier."""
    return str(VoiceResponse())


def clip_path(language: str, name: str) -> str:
    """Path of a clip as the carrier fetches it."""
    return f"/twilio/clip/{clips.spoken_language(language)}/{name}.wav"
