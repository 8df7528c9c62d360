"""The one metadata: every table of every package registers here. Holds no table itself.

The naming convention gives constraints the same names in the models and in the migrations, so that a later
migration can drop what an earlier one made.
"""

from typing import Final

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: Final = MetaData(naming_convention=NAMING)


class Base(DeclarativeBase):
    """What models inherit from."""

    metadata = metadata
