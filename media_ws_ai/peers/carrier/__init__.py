"""A stand-in for the carrier: places simulated calls against a worker and reports what the caller heard.

It imports nothing of the worker but the constants of a frame, and writes and parses its own JSON: a witness shares
neither serializer nor verdict with the accused. README.md holds the plan's keys and the report's.
"""
