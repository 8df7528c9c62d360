"""What the worker keeps in PostgreSQL, and how it reaches it without ever waiting longer than it said."""
