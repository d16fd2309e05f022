-- Rows for tests; what the migrations insert themselves is not repeated here.
-- The database numbers the rows: who does it for it leaves a sequence behind (`wdh db doctor`).
INSERT INTO authors (name) VALUES ('Astrid Lindgren');
INSERT INTO books (author_id, title, price)
SELECT id, 'Pippi Långstrump', 9.50 FROM authors WHERE name = 'Astrid Lindgren';
