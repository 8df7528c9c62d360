"""The plain page at `/`, until there is a console: what runs, what to do next; the last calls in development only.

There is no login yet, so in production it tells nothing about anybody's calls; and never why the database does not
answer, for that names its user. ROLE=console serves its own plain page.
"""

import logging
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from media_ws_ai.config import public_part
from media_ws_ai.markers import mask_phones
from media_ws_ai.store import calls
from media_ws_ai.store.calls import CallSummary
from media_ws_ai.store.database import DatabaseUnavailable
from media_ws_ai.web.worker import Worker

ZONE: Final = ZoneInfo("Asia/Jerusalem")
PAGE_S: Final = 1.0
SHOWN: Final = 20

_log: Final = logging.getLogger(__name__)


def _last_calls(worker: Worker) -> list[CallSummary] | None:
    """Those to show: none in production. None when the database does not answer."""
    if not worker.settings.is_development:
        return [] if worker.database.ping(PAGE_S) else None
    try:
        return worker.database.attempt(lambda session: calls.last_calls(session, SHOWN), PAGE_S)
    except DatabaseUnavailable as error:
        _log.info("the page is shown without the last calls: %s", error)
        return None


def blueprint(worker: Worker) -> Blueprint:
    """The one page."""
    routes = Blueprint("pages", __name__, template_folder="templates")

    @routes.get("/")
    def index() -> BaseResponse:
        settings = worker.settings
        if settings.role == "console":
            return Response(render_template("console.html"))
        if settings.role == "worker" and settings.console_url:
            return redirect(settings.console_url)
        last = _last_calls(worker)
        return Response(
            render_template(
                "index.html",
                settings=settings,
                model_url=public_part(settings.openai_realtime_url),
                public_url=public_part(settings.public_url),
                registry=worker.registry,
                calls=last,
                is_database_down=last is None,
                zone=ZONE.key,
                health=worker.model.health,
            )
        )

    @routes.app_template_filter("local")
    def local(moment: datetime | None) -> str:
        return moment.astimezone(ZONE).strftime("%d.%m. %H:%M:%S") if moment else "–"

    @routes.app_template_filter("masked")
    def masked(number: str | None) -> str:
        return mask_phones(number) if number else "–"

    return routes
