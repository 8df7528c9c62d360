"""The phone agent: bridges a carrier's media websocket to a speech-to-speech model."""
