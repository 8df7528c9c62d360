"""`media-ws-ai clips`: lists the spoken clips, or renders them anew with the business's voice."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from media_ws_ai import clips as spoken
from media_ws_ai.audio.frame import BYTES_PER_MS
from media_ws_ai.clips.studio import Studio, StudioRefused, TakeFailed, record
from media_ws_ai.config import CLIPS_FOLDER, PROJECT_ROOT, REALTIME_MODEL, REALTIME_URL


@dataclass(frozen=True)
class Outcome:
    """What became of one clip; `fault` is empty when it was rendered."""

    lang: str
    name: str
    ms: int
    takes: int
    fault: str


@click.command()
@click.option("--voice", default="marin", show_default=True, help="A voice of the model, or an id voice_….")
@click.option("--lang", type=click.Choice(spoken.languages()), help="Only this language.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CLIPS_DIR",
    default=PROJECT_ROOT / CLIPS_FOLDER,
    show_default=True,
    help="Where rendered clips live: <out>/<voice>/<lang>/<name>.ulaw",
)
@click.option("--url", envvar="OPENAI_REALTIME_URL", default=REALTIME_URL, show_default=True, help="The Realtime API.")
@click.option("--model", envvar="OPENAI_REALTIME_MODEL", default=REALTIME_MODEL, show_default=True)
@click.option("--list", "is_list", is_flag=True, help="Show the clips with their durations; render nothing.")
@click.pass_context
def clips(context: click.Context, voice: str, lang: str | None, out: Path, url: str, model: str, is_list: bool) -> None:
    """Render the spoken clips anew with the business's voice (needs OPENAI_API_KEY).

    A text is spoken up to three times, until the transcript is the text. A clip that could not be rendered keeps
    the sound it had; the exit status is then 1.
    """
    if not all(c.isalnum() or c in "_-" for c in voice) or not voice:
        raise click.BadParameter("letters, digits, _ and - only", param_hint="--voice")
    folder = out / voice
    wanted = [(lg, name) for lg in spoken.languages() if lang in (None, lg) for name in spoken.names()]
    if is_list:
        _list(wanted, folder)
        return
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        raise click.ClickException(
            "OPENAI_API_KEY is not set. Without it the clips that came with the program are spoken"
            " (media-ws-ai clips --list)."
        )
    outcomes: list[Outcome] = []
    try:
        _render_all(Studio(url=url, model=model, voice=voice, key=key), folder, wanted, outcomes)
    except StudioRefused as error:
        raise click.ClickException(f"nothing more can be rendered: {error}") from error
    except OSError as error:
        raise click.ClickException(f"a clip could not be written: {error}") from error
    finally:
        _report(outcomes, len(wanted), folder)
    if any(outcome.fault for outcome in outcomes):
        context.exit(1)


def _render_all(studio: Studio, folder: Path, wanted: list[tuple[str, str]], outcomes: list[Outcome]) -> None:
    """Render clip after clip into `outcomes`, which keeps what was done when this raises."""
    with click.progressbar(wanted, label="Rendering", item_show_func=_name_of) as rows:
        for lang, name in rows:
            outcomes.append(_render(studio, folder, lang, name))


def _name_of(row: tuple[str, str] | None) -> str | None:
    return "/".join(row) if row else None


def _render(studio: Studio, folder: Path, lang: str, name: str) -> Outcome:
    failed: list[str] = []
    try:
        sound = record(studio, lang, spoken.text(lang, name), on_retry=failed.append)
    except TakeFailed as error:
        return Outcome(lang, name, 0, len(failed) + 1, str(error))
    _replace(folder / lang / f"{name}.ulaw", sound)
    return Outcome(lang, name, len(sound) // BYTES_PER_MS, len(failed) + 1, "")


def _replace(path: Path, sound: bytes) -> None:
    """Put a clip in place in one step: a worker that reads it meanwhile hears the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sound)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def _list(wanted: list[tuple[str, str]], folder: Path) -> None:
    click.echo(f"{'clip':20} {'s':>5}  {'sound':8}  text")
    for lang, name in wanted:
        sound = spoken.clip(lang, name, folder)
        origin = "shipped" if sound == spoken.clip(lang, name) else folder.name
        click.echo(
            f"{f'{lang}/{name}':20} {_seconds(len(sound) // BYTES_PER_MS):>5}  {origin:8}  {spoken.text(lang, name)}"
        )


def _report(outcomes: list[Outcome], wanted: int, folder: Path) -> None:
    for one in outcomes:
        clip = f"{one.lang}/{one.name}"
        takes = f"{one.takes} take{'s' if one.takes > 1 else ''}"
        if one.fault:
            click.echo(f"{clip:20} not rendered after {takes}, the old sound stays: {one.fault}")
        else:
            click.echo(f"{clip:20} {_seconds(one.ms):>5} s, {takes}")
    click.echo(f"{sum(not one.fault for one in outcomes)} of {wanted} clips rendered into {folder}")


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f}"
