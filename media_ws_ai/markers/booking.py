"""Markers of items D: the tools, appointments, and the lead that remains when a tool fails."""

from media_ws_ai.markers.fields import Bool, Int, Text, Word
from media_ws_ai.markers.line import WARNING, marker


@marker(
    "D1",
    "[D1 TOOLS ENABLED] business_id={business_id}, call_goal={call_goal}, "
    "enable_calendar_scheduling={enable_calendar_scheduling}, tools_count={tools_count}",
)
def tools_enabled(*, business_id: Int, call_goal: Word, enable_calendar_scheduling: Bool, tools_count: Int) -> None:
    """The call offers the tools."""


@marker(
    "D1",
    "[D1 TOOLS DISABLED] business_id={business_id}, call_goal={call_goal}, "
    "enable_calendar_scheduling={enable_calendar_scheduling}, tools_count={tools_count}",
)
def tools_disabled(
    *, business_id: Int, call_goal: Word, enable_calendar_scheduling: Bool, tools_count: Int = 0
) -> None:
    """The call offers no tools."""


@marker("D2", "📅 [CHECK_AVAIL] Request from AI: {arguments}")
def check_request(*, arguments: Text) -> None:
    """The model asks for free slots; its JSON arguments."""


@marker("D2", "✅ [CHECK_AVAIL] Found {count} available slot(s)")
def check_found(*, count: Int) -> None:
    """Free slots found; 0 is an answer too."""


@marker("D5", "❌ [CHECK_AVAIL] FAILED: {reason}", level=WARNING)
def check_failed(*, reason: Text) -> None:
    """The check gave no answer."""


@marker("D2", "📅 [BOOK_APPT] Request from AI: {arguments}")
def book_request(*, arguments: Text) -> None:
    """The model asks to book; its JSON arguments."""


@marker("D4", "📅 [BOOK_APPT] Creating: {start} -> {end}")
def book_creating(*, start: Word, end: Word) -> None:
    """The appointment about to be written, ISO 8601 with the business's offset."""


@marker("D2", "✅ [BOOK_APPT] SUCCESS! ID={appointment_id}")
def book_success(*, appointment_id: Int) -> None:
    """The appointment is in the database."""


@marker("D2", "❌ [BOOK_APPT] REFUSED: {reason}", level=WARNING)
def book_refused(*, reason: Text) -> None:
    """No successful check of that slot in this call, or not a slot."""


@marker("D2+", "⚠️ [D2+ VIOLATION] {detail}", flag=True)
def booking_claim_violation(*, detail: Text) -> None:
    """The agent claimed an appointment that was not made."""


@marker("D4", "[D4 TIMEZONE] Localized naive datetime to {zone}: {moment}")
def time_localized(*, zone: Word, moment: Word) -> None:
    """A time without offset was read in the business's zone."""


@marker("D5", "❌ [BOOK_APPT] APPT_TOOL_FAILED: {reason}", level=WARNING)
def book_failed(*, reason: Text) -> None:
    """Booking failed."""


@marker("D5", "[D5 APPT_TOOL_FAILED] Exception in {tool}", level=WARNING)
def tool_exception(*, tool: Word) -> None:
    """A tool ended by an exception."""


@marker("D5", "[D5 FALLBACK_LEAD_CREATED] Activating fallback flow", level=WARNING)
def fallback_lead() -> None:
    """The caller will be called back instead."""


@marker("D5", "✅ [BOOK_APPT] Lead verified/created for follow-up")
def lead_created() -> None:
    """The lead is kept."""
