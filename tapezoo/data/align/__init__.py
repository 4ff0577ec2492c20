"""When wet happens against dry: constant delays, wandering ones, lost samples, clocks; and reading along them."""
