"""`media-ws-ai call`: places a simulated call against any worker, tells it live, and ends with a stopwatch.

The call itself is the carrier stand-in's (`media_ws_ai.peers.carrier`), run in this process; the lines are made by
`call_text`. `place_demo_call` is the same for other commands.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from media_ws_ai.cli import call_text
from media_ws_ai.peers import speech
from media_ws_ai.peers.carrier.carrier import Carrier
from media_ws_ai.peers.carrier.line import Note, Watcher
from media_ws_ai.peers.carrier.mouth import utterance
from media_ws_ai.peers.carrier.plan import Plan
from media_ws_ai.peers.carrier.report import CallReport
from media_ws_ai.peers.carrier.sound import NotAudio
from media_ws_ai.peers.carrier.webhook import Target

DEFAULT_URL = "http://127.0.0.1:5000"
DEFAULT_TO = "+97231234567"
ACCOUNT_SID = "AC" + "0" * 32

GREETING_MS = 8_000
ANSWER_MS = 15_000
END_MS = 12_000
MAX_S = 120.0

GREETING_LIMIT_MS = 3_000
ANSWER_LIMIT_MS = 8_000


class CallFailed(click.ClickException):
    """The call did not come about; the message says why and what to do."""


def place_demo_call(
    url: str = DEFAULT_URL,
    *,
    public_url: str = "",
    token: str = "",
    account_sid: str = ACCOUNT_SID,
    to: str = DEFAULT_TO,
    lang: str = "he",
    wav: Path | None = None,
    echo: Callable[[str], None] | None = None,
    is_tty: bool = False,
) -> CallReport:
    """Hold the demo conversation with the worker at `url`: greeting, one wish, one answer, goodbye.

    Args:
        wav: said in place of the wish and the answer.
        echo: told each line of the live timeline, the stopwatch's table at the end; None: nothing is told.
        is_tty: colours, and direction marks around Hebrew.
    Returns: the carrier's report (peers/carrier/README.md).
    Raises: CallFailed when there was no conversation.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise CallFailed(f"{url!r} is not a worker's URL; expected something like {DEFAULT_URL}")
    plan = Plan.of([{"to": to, "max_s": MAX_S, "steps": _steps(lang, wav), "from": "+972541234567"}])
    lines = call_text.Timeline(is_tty)

    def watch(_: str, note: Note) -> None:
        line = lines.line(note)
        if echo is not None and line:
            echo(line)

    target = Target(url.rstrip("/"), public_url.rstrip("/"), token, account_sid)
    report = asyncio.run(_hold(target, plan, watch))
    if report["end"]["by"] in ("webhook", "refused") or not report["streams"]:
        raise CallFailed(_why_not(report, url))
    if echo is not None:
        for line in call_text.table(report, is_tty):
            echo(line)
    return report


async def _hold(target: Target, plan: Plan, watch: Watcher) -> CallReport:
    async with Carrier(target, watcher=watch) as carrier:
        return (await carrier.run(plan))[0]


def _steps(lang: str, wav: Path | None) -> list[dict[str, Any]]:
    """What the caller does, ready for Plan.of."""
    if wav is None:
        said = [f"{lang}_book", f"{lang}_sunday"]
    else:
        try:
            utterance(str(wav))
        except NotAudio as error:
            raise CallFailed(str(error)) from error
        said = [str(wav)]
    said.append(f"{lang}_thanks_bye")
    steps: list[dict[str, Any]] = [{"say": said[0], "after": "agent_done", "ms": 200, "within_ms": GREETING_MS}]
    steps += [{"say": name, "after": "answered", "ms": 200, "within_ms": ANSWER_MS} for name in said[1:]]
    return [*steps, {"await_end": END_MS}]


def _why_not(report: CallReport, url: str) -> str:
    """The reason there was no conversation, and what to do about it."""
    end = report["end"]
    code, reason = end["code"], end["reason"]
    if code == 403:
        return (
            "the worker refused the webhook (HTTP 403): it checks signatures. Give its TWILIO_AUTH_TOKEN with --token, "
            "and its PUBLIC_URL with --public-url when that is not the URL called."
        )
    if code in (404, 405):
        return f"there is no POST /twilio/voice at {url} (HTTP {code}): is this a media-ws-ai worker?"
    if isinstance(code, int):
        return f"the worker failed: {reason}. Its log says more."
    if end["by"] == "webhook":
        return f"{reason}. `media-ws-ai run` starts a worker; --url names another one."
    if not report["streams"]:
        spoken = "; ".join(str(heard.get("text") or heard.get("url") or heard["verb"]) for heard in report["heard"])
        return f"the worker answered without a conversation: {spoken or reason}"
    return reason if isinstance(reason, str) else str(reason)


def verdict(report: CallReport) -> tuple[bool, str]:
    """The canary's judgement of a call: (good, one line why)."""
    first, turns = report["first_sound_ms"], report["turns"]
    answers = [turn["answer_ms"] for turn in turns[:-1]]
    refused = [stream for stream in report["streams"] if stream["status"] != 101]
    if refused:
        return False, f"the media websocket was refused: {refused[0].get('error', refused[0]['status'])}"
    if first is None:
        return False, "nothing was heard"
    if first > GREETING_LIMIT_MS:
        return False, f"the first sound came after {first:.0f} ms, more than {GREETING_LIMIT_MS}"
    if report["end"]["by"] == "deadline":
        return False, str(report["end"]["reason"])
    if len(turns) < 2:
        return False, f"the call ended early: {report['end']['reason']}"
    if None in answers:
        return False, f"no answer to «{turns[answers.index(None)]['text']}»"
    slowest = max(answers)
    if slowest > ANSWER_LIMIT_MS:
        return False, f"an answer took {slowest:.0f} ms, more than {ANSWER_LIMIT_MS}"
    if len(report["streams"]) > 1:
        return False, f"the call needed {len(report['streams'])} streams"
    odd = report["warnings"].keys() & {"31950", "31951", "31931", "31924"}
    if odd:
        code = sorted(odd)[0]
        return False, f"{report['warnings'][code]} × {code}: {report['examples'][code]}"
    dry = sum(run["underruns"]["60"]["ms"] for run in report["utterances"])
    if dry > 0:
        return False, f"the agent's voice was broken for {dry:.0f} ms"
    return True, f"first sound {first:.0f} ms, {len(answers)} answers, the slowest after {slowest:.0f} ms"


@click.command()
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the worker listens.")
@click.option("--wav", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Say this: any WAV file.")
@click.option("--to", default=DEFAULT_TO, show_default=True, help="The number called.")
@click.option("--lang", type=click.Choice(["he", "en"]), default="he", show_default=True, help="The caller's language.")
@click.option("--canary", is_flag=True, help="For cron: one line, exit status 0 when the call went well, else 1.")
@click.option("--token", default="", envvar="TWILIO_AUTH_TOKEN", help="Sign as Twilio does. [env: TWILIO_AUTH_TOKEN]")
@click.option("--public-url", default="", envvar="PUBLIC_URL", help="What is signed, if not --url. [env: PUBLIC_URL]")
@click.option("--account-sid", default=ACCOUNT_SID, envvar="TWILIO_ACCOUNT_SID", help="[env: TWILIO_ACCOUNT_SID]")
def call(
    url: str, wav: Path | None, to: str, lang: str, canary: bool, token: str, public_url: str, account_sid: str
) -> None:
    """Place a simulated call against a worker: live transcript, then a stopwatch."""
    assert f"{lang}_book" in speech.CLIPS
    is_tty = sys.stdout.isatty() and not canary
    try:
        report = place_demo_call(
            url, public_url=public_url, token=token, account_sid=account_sid, to=to, lang=lang, wav=wav,
            echo=None if canary else click.echo, is_tty=is_tty,
        )  # fmt: skip
    except CallFailed as failed:
        if not canary:
            raise
        click.echo(f"FAIL {url}: {failed.message}")
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("hung up")
        sys.exit(130)
    if canary:
        good, why = verdict(report)
        click.echo(f"{'OK' if good else 'FAIL'} {url}: {why}")
        sys.exit(0 if good else 1)
