"""How loud μ-law bytes are."""

import pytest

from media_ws_ai.audio.g711 import FLOOR_DBOV, level_dbov


@pytest.mark.parametrize(
    ("ulaw", "dbov"),
    [
        pytest.param(b"", FLOOR_DBOV, id="nothing"),
        pytest.param(b"\xff" * 160, FLOOR_DBOV, id="digital_silence"),
        pytest.param(b"\x7f" * 160, FLOOR_DBOV, id="negative_zero"),
        pytest.param(b"\xfe" * 160, -72, id="one_step_above_silence"),
        pytest.param(b"\x00" * 160, 0, id="full_scale"),
        pytest.param(b"\x00\x80" * 80, 0, id="full_scale_square"),
        pytest.param(b"\x00" + b"\xff" * 159, -22, id="one_click"),
    ],
)
def test_level(ulaw: bytes, dbov: int) -> None:
    assert level_dbov(ulaw) == dbov
