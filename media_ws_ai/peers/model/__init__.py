"""A stand-in for the speech-to-speech model: the GA Realtime protocol over a websocket, scripted by a scenario.

    caller audio ──▶ vad, heard (which clip, which frames) ──▶ transcription ──▶ events
    response.create ──▶ director (which reply) ──▶ responses (items, text, audio, calls) ──▶ events
    control (HTTP) ──▶ next scenario, log, faults

It is a witness: it shares nothing with the worker but the constants of a frame. It does not think, it recites;
what it recites, and how it misbehaves, is said in README.md.
"""
