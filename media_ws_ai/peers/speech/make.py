"""Makes the clips of a table with espeak-ng. Run by hand, from an environment of its own; no dependency of the product.

    python -m venv /tmp/speech && /tmp/speech/bin/pip install espeakng-loader==0.2.4 audioop-lts==0.2.2
    /tmp/speech/bin/python -m media_ws_ai.peers.speech.make                     # this folder's table
    /tmp/speech/bin/python -m media_ws_ai.peers.speech.make --table media_ws_ai/clips/table.json

    table.json ─▶ espeak.py (a process per clip) ─▶ 22.05 kHz ─▶ 8 kHz ─▶ trim ─▶ level ─▶ faint noise ─▶ data/<id>.ulaw

The noise is a telephone line's, and makes every frame unlike any other: the stand-in for the model recognises a clip
by its exact frames. `--check` makes everything anew and compares it with the committed files.
"""

import argparse
import array
import audioop
import json
import math
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_BYTES, SAMPLE_RATE_HZ

CUTOFF_HZ = 3400
"""Upper edge of the telephone band (ITU-T G.712)."""
KERNEL_HALF_WIDTH_S = 0.002
SPEECH_DBOV = -18.0
PEAK_LIMIT = 30000
FULL_SCALE = 32768
ACTIVE_BELOW_LOUDEST_DB = 30.0
"""Frames quieter than this under the loudest are pauses and do not count as speech level."""
EDGE_MS = 60
EDGE_FADE_LEVEL = 120
"""Linear level under which the ends of a clip are silence."""
NOISE_PEAK = 24
RENDER_LIMIT_S = 60
NOT_A_SOUND = str.maketrans("", "", "'_: ,")
"""Stress, pauses and spaces, which espeak-ng places by rules of its own."""


def render(voice: dict[str, Any], spoken: str) -> "tuple[int, list[str], array.array[int]]":
    """One clip from a fresh process: sample rate [Hz], phonemes, samples."""
    request = {"voice": voice["espeak"], "rate_wpm": voice["rate_wpm"], "pitch": voice["pitch"], "spoken": spoken}
    answer = subprocess.run(
        [sys.executable, "-m", "media_ws_ai.peers.speech.espeak"],
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=RENDER_LIMIT_S,
    ).stdout
    (length,) = struct.unpack_from("<I", answer)
    header = json.loads(answer[4 : 4 + length])
    return header["rate_hz"], header["phonemes"], array.array("h", answer[4 + length :])


def unspoken(spoken: str, phonemes: list[str]) -> str:
    """The part of hand-written phonemes that espeak-ng left out, "" when it said all of them.

    It stops at a symbol it does not know, and says so nowhere.
    """
    wanted = "".join(piece.split("]]")[0] for piece in spoken.split("[[")[1:])
    wanted, said = (text.translate(NOT_A_SOUND) for text in (wanted, "".join(phonemes)))
    return "" if said == wanted else f"wanted {wanted}, said {said}"


def resample(samples: "array.array[int]", rate_hz: int) -> list[float]:
    """To 8 kHz by a Hann-windowed sinc that also cuts at 3.4 kHz (no echo of the upper band in the lower)."""
    half_width = KERNEL_HALF_WIDTH_S
    cutoff = CUTOFF_HZ
    divisor = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    phases, step = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
    taps = int(half_width * rate_hz)
    kernels = []
    for phase in range(phases):
        weights = []
        for tap in range(-taps, taps + 1):
            t = (tap - phase / phases) / rate_hz
            x = 2 * cutoff * t
            sinc = 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)
            window = 0.5 + 0.5 * math.cos(math.pi * t / half_width) if abs(t) < half_width else 0.0
            weights.append(sinc * window)
        total = sum(weights)
        kernels.append([w / total for w in weights])
    padded = [0] * taps + list(samples) + [0] * (taps + 1)
    out = []
    for index in range(len(samples) * phases // step):
        whole, phase = divmod(index * step, phases)
        out.append(sum(map(float.__mul__, kernels[phase], map(float, padded[whole : whole + 2 * taps + 1]))))
    return out


def trim(samples: list[float]) -> list[float]:
    """The samples with at most EDGE_MS of silence before and after the speech."""
    loud = [i for i, value in enumerate(samples) if abs(value) > EDGE_FADE_LEVEL]
    if not loud:
        raise RuntimeError("the clip is silent")
    edge = EDGE_MS * BYTES_PER_MS
    head = [0.0] * max(0, edge - loud[0])
    return head + samples[max(0, loud[0] - edge) : loud[-1] + 1] + [0.0] * edge


def speech_rms(samples: list[float]) -> float:
    """RMS over the frames that hold speech; pauses do not count."""
    powers = [
        sum(v * v for v in samples[i : i + FRAME_BYTES]) / FRAME_BYTES for i in range(0, len(samples), FRAME_BYTES)
    ]
    floor = max(powers) / 10 ** (ACTIVE_BELOW_LOUDEST_DB / 10)
    active = [p for p in powers if p > floor]
    return math.sqrt(sum(active) / len(active))


def finish(samples: list[float], seed: str) -> bytes:
    """Level, line noise, μ-law, whole frames."""
    gain = FULL_SCALE * 10 ** (SPEECH_DBOV / 20) / speech_rms(samples)
    gain = min(gain, PEAK_LIMIT / max(abs(v) for v in samples))
    samples = samples + [0.0] * (-len(samples) % FRAME_BYTES)
    noise = random.Random(seed)
    pcm = array.array("h", (round(v * gain) + noise.randint(-NOISE_PEAK, NOISE_PEAK) for v in samples))
    return bytes(audioop.lin2ulaw(pcm.tobytes(), 2))


def quiet_line(seed: str, ms: int) -> bytes:
    """A line on which nobody speaks: the clips' noise alone."""
    noise = random.Random(seed)
    pcm = array.array("h", (noise.randint(-NOISE_PEAK, NOISE_PEAK) for _ in range(ms * BYTES_PER_MS)))
    return bytes(audioop.lin2ulaw(pcm.tobytes(), 2))


def make(clip: dict[str, str], voices: dict[str, dict[str, Any]]) -> bytes:
    """The finished μ-law bytes of one row of a table."""
    spoken = clip["phonemes"] or clip["text"]
    rate_hz, phonemes, samples = render(voices[clip["voice"]], spoken)
    if clip["phonemes"] and (missing := unspoken(spoken, phonemes)):
        raise RuntimeError(f"{clip['id']}: {missing}")
    return finish(trim(resample(samples, rate_hz)), clip["id"])


def main() -> int:
    """Make or check every clip of a table; 1 when a check found a difference."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Make spoken clips with espeak-ng.")
    parser.add_argument("--table", type=Path, default=here / "table.json")
    parser.add_argument("--only", nargs="*", default=None, metavar="ID")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    options = parser.parse_args()
    table = json.loads(options.table.read_text(encoding="utf-8"))
    rows = [row for row in table["clips"] + table.get("quiet", []) if options.only is None or row["id"] in options.only]
    differing = []
    for clip in rows:
        data = make(clip, table["voices"]) if "text" in clip else quiet_line(clip["id"], int(clip["ms"]))
        path = options.table.parent / "data" / f"{clip['id']}.ulaw"
        if options.check:
            same = path.exists() and path.read_bytes() == data
            differing += [] if same else [clip["id"]]
            print(f"{'same' if same else 'DIFFERS':8} {clip['id']}", flush=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data) // BYTES_PER_MS:6} ms  {clip['id']}", flush=True)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
