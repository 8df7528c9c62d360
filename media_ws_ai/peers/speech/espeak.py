"""One text spoken by libespeak-ng through ctypes, in a process of its own: JSON on stdin, 16-bit PCM on stdout.

espeak-ng carries pitch, echo and noise from one text to the next, and seeds its noise (breath) by the time of day:
a fresh process per clip with a fixed seed gives the same bytes always. Run by `media_ws_ai.peers.speech.make` and by
nothing else; needs PyPI `espeakng-loader`.
"""

import ctypes
import importlib
import json
import struct
import sys

AUDIO_OUTPUT_SYNCHRONOUS = 2
PHONEME_EVENTS = 1
EVENT_TERMINATED = 0
EVENT_PHONEME = 7
PARAMETER_RATE = 1
PARAMETER_PITCH = 3
POSITION_CHARACTER = 1
CHARS_UTF8 = 0x1
READ_PHONEMES = 0x100
NOISE_SEED = 1


class Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


def speak(voice: str, rate_wpm: int, pitch: int, spoken: str) -> tuple[int, list[str], bytes]:
    """Speak once in this process.

    Args:
        voice: espeak voice and variant, "he+f1".
        rate_wpm: words per minute.
        pitch: 0 to 99, relative to the variant.
        spoken: plain text, or phonemes between [[ and ]].

    Returns: sample rate [Hz], phoneme names in the order spoken, 16-bit native mono PCM.
    Raises: RuntimeError when the library refuses.
    """
    loader = importlib.import_module("espeakng_loader")
    library = ctypes.CDLL(loader.get_library_path())
    rate_hz = int(
        library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, loader.get_data_path().encode(), PHONEME_EVENTS)
    )
    if rate_hz <= 0:
        raise RuntimeError("espeak-ng did not start: its data folder was not found")
    library.espeak_ng_SetRandSeed(NOISE_SEED)
    pieces: list[bytes] = []
    phonemes: list[str] = []

    def receive(samples: object, count: int, events: "ctypes._Pointer[Event]") -> int:
        if samples and count:
            pieces.append(ctypes.string_at(samples, count * 2))  # type: ignore[arg-type]
        position = 0
        while events[position].type != EVENT_TERMINATED:
            if events[position].type == EVENT_PHONEME:
                phonemes.append(events[position].name.decode("utf-8"))
            position += 1
        return 0

    callback = SynthCallback(receive)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice!r}")
    library.espeak_SetParameter(PARAMETER_RATE, rate_wpm, 0)
    library.espeak_SetParameter(PARAMETER_PITCH, pitch, 0)
    data = spoken.encode("utf-8")
    status = library.espeak_Synth(data, len(data) + 1, 0, POSITION_CHARACTER, 0, CHARS_UTF8 | READ_PHONEMES, None, None)
    library.espeak_Synchronize()
    if status != 0:
        raise RuntimeError(f"espeak-ng refused the text with status {status}")
    return rate_hz, phonemes, b"".join(pieces)


def main() -> None:
    """Answer one request: a header of 4 bytes (its length), JSON, then the PCM."""
    request = json.load(sys.stdin)
    rate_hz, phonemes, pcm = speak(request["voice"], request["rate_wpm"], request["pitch"], request["spoken"])
    header = json.dumps({"rate_hz": rate_hz, "phonemes": phonemes}).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(header)) + header + pcm)


if __name__ == "__main__":
    main()
