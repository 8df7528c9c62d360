"""The plain page at `/`, until there is a console: what runs, what to do next; the last calls in development only.

There is no login yet, so in production it tells nothing about anybody's calls.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from media_ws_ai.markers import mask_phones
from media_ws_ai.store import calls
from media_ws_ai.store.database import DatabaseUnavailable
from media_ws_ai.web.worker import Worker

ZONE: Final = ZoneInfo("Asia/Jerusalem")
PAGE_S: Final = 1.0
SHOWN: Final = 20


def blueprint(worker: Worker) -> Blueprint:
    """The one page."""
    routes = Blueprint("pages", __name__, template_folder="templates")

    @routes.get("/")
    def index() -> BaseResponse:
        if worker.settings.role == "worker" and worker.settings.console_url:
            return redirect(worker.settings.console_url)
        last, trouble = [], ""
        try:
            last = worker.database.run(lambda session: calls.last_calls(session, SHOWN), PAGE_S)
        except DatabaseUnavailable as error:
            trouble = str(error)
        return Response(
            render_template(
                "index.html",
                settings=worker.settings,
                registry=worker.registry,
                calls=last,
                trouble=trouble,
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
