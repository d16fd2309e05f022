-- Rows for tests; what the migrations insert themselves is not repeated here.
INSERT INTO authors (id, name) VALUES (2, 'Astrid Lindgren');
INSERT INTO books (id, author_id, title, price) VALUES (1, 2, 'Pippi Långstrump', 9.50);
