"""The command line: `wdh db ...`, a door to the same run as every other."""
