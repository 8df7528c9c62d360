"""The figures of a call, in the order in which its last line shows them: audited names, then what else is useful."""

from typing import TYPE_CHECKING, Any

from media_ws_ai.audio.frame import FRAME_BYTES

if TYPE_CHECKING:
    from media_ws_ai.rules.session import Session


def call_metrics(session: "Session", duration_s: float) -> dict[str, Any]:
    """All counters of one call; those beyond the audited names only where they are not zero."""
    play, marks, requester = session.playout, session.playout.marks, session.requester
    audited = {
        "duration_s": duration_s,
        "avg_fps": play.meter.average_fps(),
        "max_gap_ms": play.meter.max_gap_ms,
        "frames_sent": play.outlet.popped,
        "frames_dropped": session.speech.dropped_bytes // FRAME_BYTES,
        "frames_flushed": play.outlet.flushed,
        "barge_in_candidates": 0,
        "barge_in_events": 0,
        "barge_in_rejected": 0,
    }
    more = {
        "first_sound_ms": session.speech.first_sound_ms or 0,
        "caller_frames": session.caller_frames,
        "caller_filled_ms": session.continuity.filled_ms,
        "caller_skipped_ms": session.continuity.skipped_ms,
        "caller_backward": session.continuity.backward,
        "caller_frames_lost": session.link.lost_audio_frames,
        "turns": session.turns.count,
        "turns_empty": session.turns.empty,
        "turns_failed": session.turns.failed,
        "turns_doubled": session.turns.doubled,
        "answers_asked": requester.counts.asked,
        "answers_rejected": requester.counts.rejected,
        "answers_empty": session.answers.empty,
        "answers_unasked": requester.counts.unasked,
        "wishes_dropped": requester.counts.dropped_wishes,
        "late_deltas": requester.counts.late_deltas,
        "cuts": session.speech.cuts,
        "backlog_overruns": session.speech.overruns,
        "underruns": play.underruns,
        "levels_lost": sum(track.left_out + track.steps_lost for track in (play.levels, session.caller_levels)),
        "resyncs": play.resyncs,
        "marks_sent": marks.sent,
        "marks_lost": marks.lost,
        "marks_late": marks.late,
        "marks_cleared": marks.cleared,
        "marks_foreign": marks.foreign,
        "stalls": session.watch.stalls,
        "renewals": session.link.renewals,
    }
    return {**audited, **{name: value for name, value in more.items() if value}}
