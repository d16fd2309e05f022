"""A SQLite schema that has some of everything, and changes of its text, each with what differs."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE parent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT COLLATE NOCASE UNIQUE,
    name TEXT NOT NULL ON CONFLICT IGNORE DEFAULT 'nobody',
    amount NUMERIC(10, 2) DEFAULT 0,
    upper_name TEXT GENERATED ALWAYS AS (upper(name)) STORED,
    CONSTRAINT ck_amount CHECK (amount > 0 OR amount IS NULL),
    CHECK (length(code) < 9)
);
CREATE TABLE child (
    id INT NOT NULL,
    parent_id INT REFERENCES parent (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    a TEXT,
    b TEXT,
    PRIMARY KEY (id),
    CONSTRAINT uq_child UNIQUE (a, b) ON CONFLICT REPLACE,
    FOREIGN KEY (a, b) REFERENCES pair (x, y)
) STRICT;
CREATE TABLE pair (x TEXT NOT NULL, y TEXT NOT NULL, z INT, PRIMARY KEY (x, y DESC)) WITHOUT ROWID;
CREATE INDEX i_plain ON parent (name, amount DESC);
CREATE INDEX i_expression ON parent (lower(name) COLLATE RTRIM) WHERE amount IS NOT NULL;
CREATE UNIQUE INDEX i_unique ON child (a);
CREATE VIEW totals (name, total) AS SELECT name, sum(amount) FROM parent GROUP BY name;
CREATE TRIGGER log AFTER UPDATE OF name, code ON parent WHEN NEW.amount > 1
BEGIN DELETE FROM child WHERE parent_id = OLD.id; END;
CREATE VIRTUAL TABLE search USING fts5(name, content='parent', tokenize='porter');
"""

CHANGES = [
    ("TEXT NOT NULL ON", "VARCHAR(9) NOT NULL ON", "column parent.name", "type"),
    ("NUMERIC(10, 2)", "NUMERIC(10, 3)", "column parent.amount", "type"),
    ("TEXT NOT NULL ON CONFLICT IGNORE", "TEXT", "column parent.name", "not null, not null on"),
    ("NULL ON CONFLICT IGNORE", "NULL ON CONFLICT FAIL", "column parent.name", "on conflict"),
    ("NULL ON CONFLICT IGNORE", "NULL", "column parent.name", "not null on conflict"),
    ("'nobody'", "'somebody'", "column parent.name", "default"),
    ("'nobody'", "'Nobody'", "column parent.name", "default"),
    (" DEFAULT 0", "", "column parent.amount", "default"),
    (" DEFAULT 0", " DEFAULT '0'", "column parent.amount", "default"),
    ("COLLATE NOCASE", "", "column parent.code", "collation"),
    ("upper(name)", "lower(name)", "column parent.upper_name", "generated"),
    ("STORED", "VIRTUAL", "column parent.upper_name", "stored"),
    (" GENERATED ALWAYS AS (upper(name)) STORED", "", "parent.upper_name", "generated, stored"),
    ("upper_name TEXT GENERATED ALWAYS AS (upper(name)) STORED,", "", "parent.upper_name", "-"),
    ("    b TEXT,", "    b TEXT,\n    c TEXT,", "column child.c", "+"),
    (" AUTOINCREMENT", "", "table parent", "autoincrement"),
    (") STRICT", ")", "table child", "strict"),
    (" WITHOUT ROWID", "", "table pair", "without rowid"),
    (") STRICT;", ") STRICT, WITHOUT ROWID;", "table child", "without rowid"),
    ("PRIMARY KEY (x, y DESC)", "PRIMARY KEY (x, y)", "primary key pair", "columns"),
    ("PRIMARY KEY (x, y DESC)", "PRIMARY KEY (y DESC, x)", "primary key pair", "columns"),
    ("PRIMARY KEY (id)", "PRIMARY KEY (id) ON CONFLICT FAIL", "primary key child", "on conflict"),
    (" UNIQUE,", ",", "unique parent unique (code)", "-"),
    (" UNIQUE,", " UNIQUE ON CONFLICT FAIL,", "unique parent unique (code)", "on conflict"),
    ("UNIQUE (a, b)", "UNIQUE (b, a)", "unique child.uq_child", "columns"),
    ("UNIQUE (a, b)", "UNIQUE (a COLLATE NOCASE, b)", "unique child.uq_child", "columns"),
    (" ON CONFLICT REPLACE", "", "unique child.uq_child", "on conflict"),
    ("REFERENCES parent (id)", "REFERENCES pair (z)", "(parent_id)", "target, target columns"),
    ("pair (x, y)\n", "pair (y, x)\n", "foreign key child foreign key (a, b)", "target columns"),
    (" ON DELETE CASCADE", "", "(parent_id)", "on delete"),
    (" ON DELETE CASCADE", " ON DELETE CASCADE ON UPDATE SET NULL", "(parent_id)", "on update"),
    ("ON DELETE CASCADE", "ON DELETE RESTRICT", "(parent_id)", "on delete"),
    (" INITIALLY DEFERRED", "", "(parent_id)", "deferrable"),
    (" DEFERRABLE INITIALLY DEFERRED", "", "(parent_id)", "deferrable"),
    ("amount > 0 OR", "amount >= 0 OR", "check parent.ck_amount", "condition"),
    ("    CHECK (length(code) < 9)", "    CHECK (1)", "parent check", "-+"),
    ("CONSTRAINT ck_amount", "CONSTRAINT ck_sum", "parent.ck_amount", "renamed"),
    ("amount DESC", "amount", "index i_plain", "columns"),
    ("(name, amount DESC)", "(amount DESC, name)", "index i_plain", "columns"),
    ("INDEX i_plain", "INDEX i_other", "index i_plain", "renamed"),
    ("COLLATE RTRIM", "COLLATE NOCASE", "index i_expression", "columns"),
    ("(lower(name)", "(upper(name)", "index i_expression", "columns"),
    ("WHERE amount IS NOT NULL", "WHERE amount IS NULL", "index i_expression", "where"),
    (" WHERE amount IS NOT NULL", "", "index i_expression", "where"),
    ("CREATE UNIQUE INDEX", "CREATE INDEX", "index i_unique", "unique"),
    ("i_unique ON child (a)", "i_unique ON pair (z)", "index i_unique", "columns, table"),
    ("CREATE INDEX i_plain ON parent (name, amount DESC);", "", "index i_plain", "-"),
    ("sum(amount)", "max(amount)", "view totals", "query"),
    ("(name, total)", "(name, sum)", "view totals", "columns"),
    ("AFTER UPDATE", "BEFORE UPDATE", "trigger log", "time"),
    ("UPDATE OF name, code", "DELETE", "trigger log", "columns, event"),
    ("OF name, code", "OF name", "trigger log", "columns"),
    ("WHEN NEW.amount > 1", "", "trigger log", "condition"),
    ("= OLD.id", "> OLD.id", "trigger log", "body"),
    ("='porter'", "='ascii'", "virtual table search", "arguments"),
    (
        "fts5(name, content='parent', tokenize='porter')",
        "fts4(name)",
        "search",
        "arguments, module",
    ),
]
