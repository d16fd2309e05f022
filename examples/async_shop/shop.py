"""Tables and engine of an asynchronous application, such as one of FastAPI."""

import os
from pathlib import Path

from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DEFAULT = f"sqlite+aiosqlite:///{Path(__file__).parent / 'shop.db'}"
URL = os.environ.get("SHOP_DATABASE", DEFAULT)


class Base(DeclarativeBase):
    """What the tables are declared on."""


class Book(Base):
    """A book in the shop."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))


def engine() -> AsyncEngine:
    """Return the engine that the application awaits."""
    return create_async_engine(URL)
