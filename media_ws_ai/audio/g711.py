"""G.711 μ-law as numbers: how loud a block is. By audioop (audioop-lts from Python 3.13 on); no numpy in a call."""

import audioop
import math
from typing import Final

FLOOR_DBOV: Final = -90
"""What digital silence is called; RFC 6464 would allow -127, but 14-bit μ-law has nothing below about -78."""

_FULL_SCALE: Final = 32768.0


def level_dbov(ulaw: bytes) -> int:
    """RMS level of μ-law bytes [dBov], a whole number between FLOOR_DBOV and 0."""
    rms = audioop.rms(audioop.ulaw2lin(ulaw, 2), 2)
    if rms == 0:
        return FLOOR_DBOV
    return max(FLOOR_DBOV, round(20.0 * math.log10(rms / _FULL_SCALE)))
