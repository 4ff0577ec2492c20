// Rows of one chunk.

inline void scale(float* row, float factor) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, load(row + n) * fill(factor));
}

inline void add(float* row, const float* other) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, load(row + n) + load(other + n));
}
