"""The verbs of `wdh db`, a room for a family of them."""
