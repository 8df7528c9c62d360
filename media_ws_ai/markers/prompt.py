"""Markers of items E: the COMPACT prompt and its one upgrade."""

from media_ws_ai.markers.fields import Int, Policy, Text
from media_ws_ai.markers.line import WARNING, marker


@marker("E1", "🔄 [PROMPT UPGRADE] Upgrading from COMPACT ({compact_chars} chars) to FULL ({full_chars} chars)")
def prompt_upgrading(*, compact_chars: Int, full_chars: Int) -> None:
    """The FULL prompt was sent."""


@marker("E1", "✅ [PROMPT UPGRADE] Successfully upgraded to FULL prompt in {upgrade_ms}ms")
def prompt_upgraded(*, upgrade_ms: Int) -> None:
    """`session.updated` came back."""


@marker(
    "E1",
    "[E1 PROMPT UPGRADE] business_id={business_id}, upgrade_duration_ms={upgrade_duration_ms}, policy={policy}",
)
def prompt_policy(*, business_id: Int, upgrade_duration_ms: Int, policy: Policy) -> None:
    """The same, with what the call may do."""


@marker("E1", "⚠️ [PROMPT UPGRADE] Failed (attempt {attempt}): {reason}", level=WARNING)
def prompt_failed(*, attempt: Int, reason: Text) -> None:
    """An error or 2 s of silence; retried once, then the call goes on with COMPACT."""


@marker("E2", "⚠️ [PROMPT UPGRADE] Given up - the call goes on with the COMPACT prompt", level=WARNING)
def prompt_given_up() -> None:
    """COMPACT holds every critical rule."""
