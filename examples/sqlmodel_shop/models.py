"""Tables as SQLModel declares them."""

from sqlmodel import Field, SQLModel


class Book(SQLModel, table=True):
    """A book in the shop."""

    __tablename__ = "books"
    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(max_length=200)
