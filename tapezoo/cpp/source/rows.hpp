// Rows of one chunk.

inline void scale(float* row, float factor) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, load(row + n) * fill(factor));
}

inline void add(float* row, const float* other) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, load(row + n) + load(other + n));
}

template <int ROWS>
void add_rows(float* rows, const float* others) noexcept {
  for (int n = 0; n < ROWS * CHUNK; n += LANES) store(rows + n, load(rows + n) + load(others + n));
}

template <int ROWS>
void copy_rows(const float* from, float* to, int stride) noexcept {
  for (int row = 0; row < ROWS; ++row) std::memcpy(to + row * stride, from + row * CHUNK, CHUNK * sizeof(float));
}

inline void bend_row(float* row) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, tanh(load(row + n)));
}

template <int ROWS>
void bend_rows(float* rows) noexcept {
  for (int n = 0; n < ROWS * CHUNK; n += LANES) store(rows + n, tanh(load(rows + n)));
}

template <int ROWS>
void add_bent_rows(float* rows, const float* others) noexcept {
  for (int n = 0; n < ROWS * CHUNK; n += LANES) store(rows + n, load(rows + n) + tanh(load(others + n)));
}

template <int ROWS>
void clip_rows(float* rows) noexcept {
  for (int n = 0; n < ROWS * CHUNK; n += LANES) store(rows + n, max(load(rows + n), fill(0.0f)));
}
