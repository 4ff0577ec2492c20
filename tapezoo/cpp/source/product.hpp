// Products of matrices with rows of samples: four rows of the result and up to three vectors of samples at a time, which is
// what sixteen registers hold. The more there are, the fewer reads each multiplication needs.
//
// Weights are laid out group by group of four rows, in a group column by column.

constexpr int whole_groups(int rows) { return (rows + 3) / 4 * 4; }
static_assert(CHUNK % 16 == 0, "a chunk is whole vectors");

template <int T>
using Tile = vec[4][T];

// f(size, n) for every tile of `size.vectors` from sample n on.
template <int T>
struct Size {
  static constexpr int vectors = T;
};
template <class F>
TAPEZOO_INLINE void each_tile(int samples, F f) {
  int n = 0;
  for (; samples - n > 2 * LANES; n += 3 * LANES) f(Size<3>(), n);
  if (samples - n > LANES)
    f(Size<2>(), n);
  else if (samples > n)
    f(Size<1>(), n);
}

// sums[r] += sum_k w[4 k + r] x[k stride ...]
template <int T>
TAPEZOO_INLINE void accumulate(Tile<T>& sums, const float* w, const float* x, int stride, int count) {
  for (int k = 0; k < count; ++k) {
    vec values[T];
    TAPEZOO_UNROLL
    for (int t = 0; t < T; ++t) values[t] = load(x + k * stride + t * LANES), hold(values[t]);
    TAPEZOO_UNROLL
    for (int r = 0; r < 4; ++r) {
      const vec weight = fill(w[4 * k + r]);
      TAPEZOO_UNROLL
      for (int t = 0; t < T; ++t) sums[r][t] = fma(weight, values[t], sums[r][t]);
    }
  }
}

template <int T>
TAPEZOO_INLINE void begin(Tile<T>& sums, const float* bias) {
  TAPEZOO_UNROLL
  for (int r = 0; r < 4; ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < T; ++t) sums[r][t] = fill(bias[r]);
  }
}

template <int T>
TAPEZOO_INLINE void finish(const Tile<T>& sums, float* out, int stride) {
  TAPEZOO_UNROLL
  for (int r = 0; r < 4; ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < T; ++t) store(out + r * stride + t * LANES, sums[r][t]);
  }
}

// out = bias + W x: W::rows from W::columns; the rows of `out` are filled up to whole groups.
template <class W>
void product(W w, const float* x, int stride, float* out, int out_stride, int samples) noexcept {
  each_tile(samples, [=](auto size, int n) {
    constexpr int T = size.vectors;
    for (int row = 0; row < W::rows; row += 4) {
      Tile<T> sums;
      begin<T>(sums, w.bias + row);
      accumulate<T>(sums, w.weight + row * W::columns, x + n, stride, W::columns);
      finish<T>(sums, out + row * out_stride + n, out_stride);
    }
  });
}

// One row: out = bias + sum_k w[k] x[k], added to what is there where `more`.
template <class W>
void mix_down(W w, const float* x, int stride, float* out, bool more, int samples) noexcept {
  for (int n = 0; n < samples; n += LANES) {
    vec sum = more ? load(out + n) : fill(w.bias[0]);
    for (int k = 0; k < W::columns; ++k) sum = fma(fill(w.weight[k]), load(x + k * stride + n), sum);
    store(out + n, sum);
  }
}
