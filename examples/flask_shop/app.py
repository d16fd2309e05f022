"""An application of Flask-SQLAlchemy, whose schema Flask-Migrate keeps."""

import os
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Book(db.Model):
    """A book in the shop."""

    __tablename__ = "books"
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(200), nullable=False)


def create_app() -> Flask:
    """Return the application; its database is its own affair."""
    app = Flask(__name__)
    default = f"sqlite:///{Path(__file__).parent / 'shop.db'}"
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("SHOP_DATABASE", default)
    db.init_app(app)
    Migrate(app, db)
    return app
