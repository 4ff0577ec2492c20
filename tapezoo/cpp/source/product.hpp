// Products of matrices with rows of samples: four rows of the result and as many samples as stay in registers at a time.
//
// Weights are laid out group by group of four rows, in a group column by column.

constexpr int TILE = 2;                    // vectors of samples
constexpr int TILE_SAMPLES = TILE * LANES;
static_assert(CHUNK % (2 * 16) == 0, "a chunk is whole tiles of the widest vectors");

constexpr int whole_groups(int rows) { return (rows + 3) / 4 * 4; }
constexpr int whole_tiles(int samples) { return (samples + TILE_SAMPLES - 1) / TILE_SAMPLES * TILE_SAMPLES; }

typedef vec Tile[4][TILE];

// sums[r] += sum_k w[4 k + r] x[k stride ...]
TAPEZOO_INLINE void accumulate(Tile& sums, const float* w, const float* x, int stride, int count) {
  for (int k = 0; k < count; ++k) {
    TAPEZOO_UNROLL
    for (int t = 0; t < TILE; ++t) {
      vec value = load(x + k * stride + t * LANES);
      hold(value);
      TAPEZOO_UNROLL
      for (int r = 0; r < 4; ++r) sums[r][t] = fma(fill(w[4 * k + r]), value, sums[r][t]);
    }
  }
}

TAPEZOO_INLINE void begin(Tile& sums, const float* bias) {
  TAPEZOO_UNROLL
  for (int r = 0; r < 4; ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < TILE; ++t) sums[r][t] = fill(bias[r]);
  }
}

TAPEZOO_INLINE void finish(const Tile& sums, float* out, int stride) {
  TAPEZOO_UNROLL
  for (int r = 0; r < 4; ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < TILE; ++t) store(out + r * stride + t * LANES, sums[r][t]);
  }
}

// out = bias + W x: W::rows from W::columns; the rows of `out` are filled up to whole groups.
template <class W>
void product(const float* x, int stride, float* out, int out_stride, int samples) noexcept {
  for (int n = 0; n < samples; n += TILE_SAMPLES)
    for (int row = 0; row < W::rows; row += 4) {
      Tile sums;
      begin(sums, W::bias + row);
      accumulate(sums, W::weight + row * W::columns, x + n, stride, W::columns);
      finish(sums, out + row * out_stride + n, out_stride);
    }
}

// One row: out = bias + sum_k w[k] x[k], added to what is there where `more`.
template <class W>
void mix_down(const float* x, int stride, float* out, bool more, int samples) noexcept {
  for (int n = 0; n < samples; n += LANES) {
    vec sum = more ? load(out + n) : fill(W::bias[0]);
    for (int k = 0; k < W::columns; ++k) sum = fma(fill(W::weight[k]), load(x + k * stride + n), sum);
    store(out + n, sum);
  }
}
