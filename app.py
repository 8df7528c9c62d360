"""The WSGI application: settings, the worker's parts, the routes, the one websocket. No logic lives here."""

import os
import sys

from flask import Flask, Response, abort, request
from flask_sock import Sock

from media_ws_ai import markers
from media_ws_ai.config import Settings, load
from media_ws_ai.errors import SettingsError
from media_ws_ai.logs import NO_CALL
from media_ws_ai.runtime import carrier_socket
from media_ws_ai.web import health, pages, voice
from media_ws_ai.web.media import MediaRoute
from media_ws_ai.web.signature import is_signed_handshake, is_signed_webhook
from media_ws_ai.web.worker import Worker

MEDIA_PATH = "/twilio/media"


def create_app(settings: Settings) -> Flask:
    """One worker process's application; its parts are `app.extensions["worker"]`."""
    carrier_socket.install()
    app = Flask(__name__)
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": carrier_socket.MAX_MESSAGE}
    worker = Worker(settings)
    app.extensions["worker"] = worker
    app.register_blueprint(health.blueprint(worker))
    app.register_blueprint(pages.blueprint(worker))
    if settings.role != "console":
        _serve_carrier(app, worker)

    @app.after_request
    def forbid_sniffing(response: Response) -> Response:
        """No browser shall take an answer for another kind than it says."""
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return app


def _serve_carrier(app: Flask, worker: Worker) -> None:
    """Webhooks, clips and the media websocket, behind the carrier's signature."""
    settings = worker.settings
    app.register_blueprint(voice.blueprint(worker))
    Sock(app).route(MEDIA_PATH)(MediaRoute(worker))

    @app.before_request
    def check_signature() -> None:
        """A 403 before the upgrade is an HTTP answer; after it there would be no way to say no."""
        if not settings.twilio_auth_token or not request.path.startswith("/twilio/"):
            return
        if request.path == MEDIA_PATH:
            if not is_signed_handshake(settings, request):
                NO_CALL.write(markers.stream_refused(reason="signature"))
                abort(403)
        elif request.method == "POST" and not is_signed_webhook(settings, request):
            NO_CALL.write(markers.webhook(route=request.path, verdict="refused", reason="signature", took_ms=0))
            abort(403)


def _from_environment() -> Flask:
    try:
        return create_app(load(os.environ))
    except SettingsError as error:
        print(f"media-ws-ai cannot start:\n{error}", file=sys.stderr, flush=True)
        sys.exit(4)  # gunicorn: the application cannot be loaded, do not try again


def __getattr__(name: str) -> Flask:
    """`app:app`, made when gunicorn asks for it: importing this file, as tests do, starts nothing."""
    if name != "app":
        raise AttributeError(name)
    made = globals()["app"] = _from_environment()
    assert isinstance(made, Flask)
    return made
