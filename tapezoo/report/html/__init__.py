"""Pages to look at and listen to: each is one file that links nothing and needs no network."""
