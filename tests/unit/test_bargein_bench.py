"""The bench of the ears: its scoring rules on tiny sets, its figures of others, and what it says without audio."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from media_ws_ai.audio.frame import SILENCE
from media_ws_ai.bench import bargein, bargein_score
from media_ws_ai.bench.bargein_score import Figures, Scenario, figures, judge, load, percentile
from media_ws_ai.errors import PeerError

ON, OFF = 100 * 160, 150 * 160
"""A spurt from frame 100 to 150."""


def said(count: int, *stretches: tuple[int, int]) -> list[bool]:
    return [any(first <= at < end for first, end in stretches) for at in range(count)]


def scenario(spurts: list[tuple[int, int]], count: int = 300, ai_from: int = 0, is_echo: bool = False) -> Scenario:
    return Scenario("quiet", is_echo, ai_from, [SILENCE] * count, [SILENCE] * count, spurts)


@pytest.mark.parametrize(
    ("stretches", "is_hit", "is_blind", "latency_ms", "kept", "raised", "pending"),
    [
        pytest.param([], False, False, None, 0, 0, 0, id="missed"),
        pytest.param([(107, 150)], True, False, 160.0, 43, 0, 0, id="hit"),
        pytest.param([(107, 190)], True, False, 160.0, 43, 0, 4, id="hit_and_long"),
        pytest.param([(165, 170)], True, False, 1320.0, 0, 0, 0, id="hit_at_the_last_moment"),
        pytest.param([(166, 170)], False, False, None, 0, 0, 0, id="too_late"),
        pytest.param([(90, 150)], True, True, None, 50, 1, 10, id="blind"),
        pytest.param([(90, 105), (110, 150)], True, False, 220.0, 40, 1, 10, id="gone_again_is_not_blind"),
        pytest.param([(20, 30), (200, 210)], False, False, None, 0, 2, 20, id="false_twice"),
        pytest.param([(185, 200)], False, False, None, 0, 0, 14, id="raised_within_700_ms_leaks_after"),
    ],
)
def test_rules(
    stretches: list[tuple[int, int]],
    is_hit: bool,
    is_blind: bool,
    latency_ms: float | None,
    kept: int,
    raised: int,
    pending: int,
) -> None:
    (spurt,), rest = judge(scenario([(ON, OFF)]), said(300, *stretches))
    assert (spurt.is_hit, spurt.is_blind, spurt.latency_ms, spurt.kept) == (is_hit, is_blind, latency_ms, kept)
    assert (rest.raised, rest.pending) == (raised, pending)
    assert rest.frames == 300 - (186 - 100)


def test_before_the_ai_speaks_nothing_counts() -> None:
    _, rest = judge(scenario([], ai_from=250), said(300, (10, 260)))
    assert (rest.raised, rest.pending, rest.frames) == (0, 10, 50)


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([], 95, None), ([7.0], 95, 7), ([0.0, 10.0], 50, 5), ([1.0, 2.0, 3.0, 4.0], 100, 4)],
)
def test_percentile(values: list[float], share: float, wanted: int | None) -> None:
    assert percentile(values, share) == wanted


def test_figures_of_echo_and_of_the_rest_stand_apart() -> None:
    rests = [judge(scenario([], 3000, is_echo=is_echo), said(3000, (9, 12)))[1] for is_echo in (False, True, True)]
    found = figures([], rests, 3.0, 0.25)
    assert (found.false_plain, found.false_echo, found.leak, found.x_rms) == (1.0, 1.0, 0.1, 12.0)


# ---------------------------------------------------------------- files


def npy(data: bytes, kind: str = "|u1") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(data)},), }}".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def write_set(folder: Path, near: bytes, far: bytes, kind: str = "|u1") -> tuple[Path, Path]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("near.npy", npy(near, kind))
        archive.writestr("far.npy", npy(far, kind))
    audio, labels = folder / "dev.npz", folder / "labels-dev.jsonl"
    audio.write_bytes(buffer.getvalue())
    label = {"id": "one", "noise": "quiet", "echo": 1, "ai_from": 3, "off": 160, "frames": 2,
             "spurts": [{"on": 0, "off": 160}]}  # fmt: skip
    labels.write_text(json.dumps(label) + "\n", encoding="utf-8")
    return audio, labels


def test_a_set_is_read(tmp_path: Path) -> None:
    near, far = bytes(range(160)) * 3, SILENCE * 3
    (one,), digest = load(*write_set(tmp_path, near, far))
    assert one == Scenario("quiet", True, 3, [near[:160]] * 2, [SILENCE] * 2, [(0, 160)])
    assert len(digest) == 64


@pytest.mark.parametrize(
    ("near", "far", "kind"),
    [
        pytest.param(SILENCE * 2, SILENCE * 2, "|u1", id="too_short"),
        pytest.param(SILENCE * 3, SILENCE * 4, "|u1", id="of_two_lengths"),
        pytest.param(SILENCE * 3, SILENCE * 3, "<i2", id="not_bytes"),
    ],
)
def test_what_is_no_set_is_refused(tmp_path: Path, near: bytes, far: bytes, kind: str) -> None:
    with pytest.raises(PeerError):
        load(*write_set(tmp_path, near, far, kind))


def test_a_file_that_is_no_archive_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "dev.npz").write_bytes(b"no archive")
    result = CliRunner().invoke(bargein.bargein, ["--audio", str(tmp_path)])
    assert result.exit_code == 1
    assert "no set of audio and labels" in result.output


def test_without_audio_the_command_says_how_it_is_built(tmp_path: Path) -> None:
    result = CliRunner().invoke(bargein.bargein, ["--audio", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "build.py all" in result.output
    assert str(tmp_path) in result.output


@pytest.mark.parametrize("option", [[], ["--detail"], ["--json"]])
def test_a_set_without_a_caller_gives_a_table_and_does_not_pass(tmp_path: Path, option: list[str]) -> None:
    write_set(tmp_path, SILENCE * 3, SILENCE * 3)
    result = CliRunner().invoke(bargein.bargein, ["--audio", str(tmp_path), *option])
    assert result.exit_code == 1, "nothing was detected: no latency, all missed"
    assert "silero" in result.output
    if option == ["--json"]:
        document = json.loads(result.output)
        assert document["is_published_set"] is False
        assert document["detector"]["miss"] == 100.0
        assert document["baselines"]["detectors"]["webrtc_3"]["false_echo"] == 17.65


def test_the_figures_of_others_have_our_columns_and_say_where_they_are_from() -> None:
    known = bargein.baselines()
    assert len(known["detectors"]) == 16
    for cells in known["detectors"].values():
        assert list(cells) == list(Figures.__dataclass_fields__)
    assert "MIT" in known["origin"]
    assert "2026" in known["measured"]


def test_the_set_is_described_and_its_labels_are_whole() -> None:
    lines = (bargein.SET / "labels-dev.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 440
    assert len(bargein.published_digest()) == 64
    assert "CC-BY" in (bargein.SET / "README.md").read_text(encoding="utf-8")
    assert len(lines) >= bargein_score.YARDSTICK_SCENARIOS
