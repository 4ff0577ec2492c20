// u = W * y + V signal, z = f(u), y' = y + R z. W::Dilated, W::Mix (of W::Mix::columns rows of the signal), W::Residual.
//
// f is tanh, a leaky rectifier, or gated: then a group of four rows of u is two for the tanh and the two gates beside them. Layers of one shape
// share their code.

// One group and tile of z, and with SUMMED its sum with what is in `head`.
template <int T, int COLUMNS, int TAPS, int MIXED, bool GATED, bool LEAKY, bool SUMMED>
TAPEZOO_APART void bend(const float* bias, const float* weight, const float* y, int stride, int dilation, const float* mix,
                        const float* signal, float* z, float* head) noexcept {
  Tile<T> sums;
  begin<T>(sums, bias);
  accumulate<T>(sums, mix, signal, CHUNK, MIXED);
  for (int tap = 0; tap < TAPS; ++tap) accumulate<T>(sums, weight + tap * 4 * COLUMNS, y + tap * dilation, stride, COLUMNS);
  TAPEZOO_UNROLL
  for (int r = 0; r < (GATED ? 2 : 4); ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < T; ++t) {
      const int at = r * CHUNK + t * LANES;
      vec made;
      if constexpr (GATED)
        made = gated(sums[r][t], sums[r + 2][t]);
      else if constexpr (LEAKY)
        made = leaky_relu(sums[r][t]);
      else
        made = tanh(sums[r][t]);
      store(z + at, made);
      if constexpr (SUMMED) store(head + at, load(head + at) + made);
    }
  }
}

// One group and tile of y'; with WIDE the y of every row, else that of the only one.
template <int T, int COLUMNS, bool WIDE>
TAPEZOO_APART void pass_on(const float* bias, const float* weight, const float* z, const float* y, int y_stride, float* next,
                           int stride) noexcept {
  Tile<T> sums;
  begin<T>(sums, bias);
  accumulate<T>(sums, weight, z, CHUNK, COLUMNS);
  TAPEZOO_UNROLL
  for (int r = 0; r < 4; ++r) {
    TAPEZOO_UNROLL
    for (int t = 0; t < T; ++t)
      store(next + r * stride + t * LANES, sums[r][t] + load(y + (WIDE ? r * y_stride : 0) + t * LANES));
  }
}

template <class W>
class SkipLayer : public W::Mix, public W::Residual {
 public:
  typedef typename W::Dilated D;
  typedef typename W::Mix M;
  typedef typename W::Residual R;
  typedef Convolution<D> Dilated;
  static constexpr int STRIDE = Dilated::STRIDE, MADE = W::gated ? 2 : 4;

  // Rows of z and head are CHUNK apart.
  void play(const float* signal, float* z, float* head, int samples) noexcept {
    const float *const bias = dilated.bias, *const weight = dilated.weight, *const mix = M::weight;
    const float* const y = dilated.past.past();
    each_tile(samples, [=](auto size, int n) {
      for (int row = 0; row < D::rows; row += 4) {
        const int at = row / 4 * MADE * CHUNK + n;
        bend<size.vectors, D::columns, D::taps, M::columns, W::gated, W::leaky, W::summed>(
            bias + row, weight + row * D::taps * D::columns, y + n, STRIDE, D::dilation, mix + row * M::columns, signal + n,
            z + at, W::summed ? head + at : nullptr);
      }
    });
  }

  // y' into `next`, rows `stride` apart; then this layer's y is past.
  void pass(const float* z, float* next, int stride, int samples) noexcept {
    constexpr bool WIDE = D::columns > 1;
    const float *const bias = R::bias, *const weight = R::weight, *const y = dilated.heard();
    each_tile(samples, [=](auto size, int n) {
      for (int row = 0; row < R::rows; row += 4)
        pass_on<size.vectors, R::columns, WIDE>(bias + row, weight + row * R::columns, z + n, y + (WIDE ? row * STRIDE : 0) + n,
                                                STRIDE, next + row * stride + n, stride);
    });
    dilated.close(samples);
  }

  // The tables of a grid's point.
  void use(const float* of) noexcept { dilated.use(of), M::use(of), R::use(of); }

  Dilated dilated;
};
