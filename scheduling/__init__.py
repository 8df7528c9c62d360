"""Appointments and the ground they stand on: the metadata, the engine, the migrations. Knows nothing of calls."""
