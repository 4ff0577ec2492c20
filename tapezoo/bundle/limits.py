"""Size limits for everything in a bundle: more than any net here needs, less than exhausts a machine."""

from tapezoo.bundle.documents import COUNT_LIMIT as COUNT_LIMIT

MANIFEST_LIMIT_BYTES = 1 << 24  # a hundred times the largest of ours
RATE_LIMIT_HZ = 1 << 20
HOP_LIMIT_SAMPLES = 1 << 20  # a player holds one hop; 20 s at 44.1 kHz
SETTLE_LIMIT_SAMPLES = 1 << 24  # a player computes that much before the first sound; 6 minutes at 44.1 kHz
STATE_LIMIT_VALUES = 1 << 26  # of all tensors; a window of ten minutes at 44.1 kHz
ROW_LIMIT = 64  # of a golden case: each has a state
ROWS_LIMIT_VALUES = 1 << 27  # of the states of all rows of a golden case
CASE_LIMIT = 1000
# of all golden cases and their rows, 95 s at 44.1 kHz, and how often a runtime is called for them; export writes 54 s
GOLDEN_LIMIT_SAMPLES = 1 << 22
GOLDEN_LIMIT_BLOCKS = 1 << 18
CONTROL_LIMIT = 256
