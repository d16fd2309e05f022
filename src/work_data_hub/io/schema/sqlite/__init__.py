"""SQLite keeps everything: table rebuilds restore or refuse what they would lose."""
