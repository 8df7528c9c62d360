"""Judgements on words: what an utterance is worth, from its text and the moment alone.

Each file answers one question and returns a frozen `Verdict`; nobody here hears audio, keeps state or writes a log.
The words are data (`data/*.json`, read once at import); the rules know classes of words and how they stand together.
"""
