"""WorkDataHub: the schema of the warehouse, and the migrations that cannot hurt it."""
