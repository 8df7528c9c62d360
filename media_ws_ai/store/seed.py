"""Puts businesses into the database, by phone number. What they may be is seed_file's affair."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from media_ws_ai.store.models import BusinessRow
from media_ws_ai.store.seed_file import DEMO, read_businesses
from scheduling.db import make_engine

STATEMENT_TIMEOUT_MS: Final = 10_000


def seed(url: str, file: Path | None = None) -> list[str]:
    """Insert or replace the businesses of a file (the packaged demo without one), all or none.

    Returns: a sentence per business.
    Raises: SeedError with every fault of the file; ValueError for a URL that is none; sqlalchemy.exc.SQLAlchemyError.
    """
    businesses = read_businesses(file or DEMO)
    engine = make_engine(url, 1, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    try:
        with Session(engine) as session, session.begin():
            return [_upsert(session, business) for business in businesses]
    finally:
        engine.dispose()


def _upsert(session: Session, business: dict[str, Any]) -> str:
    before = session.query(BusinessRow.id).filter_by(phone=business["phone"]).scalar()
    row = insert(BusinessRow).values(**business)
    replaced = {name: row.excluded[name] for name in business if name != "phone"}
    row_id = session.execute(
        row.on_conflict_do_update(
            index_elements=[BusinessRow.phone], set_={**replaced, "updated_at": func.now()}
        ).returning(BusinessRow.id)
    ).scalar_one()
    verb = "added" if before is None else "updated"
    return f"{verb}: {business['name']}, {business['phone']}, {business['language']} (business {row_id})"
