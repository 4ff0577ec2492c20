// A causal convolution with its past: W::rows from W::columns, W::taps of them W::dilation apart, oldest first.

template <class W>
class Convolution {
 public:
  typedef Line<whole_groups(W::columns), (W::taps - 1) * W::dilation> Past;
  static constexpr int STRIDE = Past::STRIDE;

  // Where what it hears is to be written, rows STRIDE apart; also where that stands until `close`.
  float* open() noexcept {
    past.make_room();
    return past.now();
  }
  float* heard() noexcept { return past.now(); }
  void close(int samples) noexcept { past.advance(samples); }

  void play(float* out, int samples) noexcept {
    for (int n = 0; n < samples; n += TILE_SAMPLES)
      for (int row = 0; row < W::rows; row += 4) {
        Tile sums;
        begin(sums, W::bias + row);
        sum(sums, row, n);
        finish(sums, out + row * CHUNK + n, CHUNK);
      }
  }

  // The products of one group and tile.
  TAPEZOO_INLINE void sum(Tile& sums, int row, int n) noexcept {
    const float* w = W::weight + row * W::taps * W::columns;
    for (int tap = 0; tap < W::taps; ++tap)
      accumulate(sums, w + tap * 4 * W::columns, past.past() + tap * W::dilation + n, STRIDE, W::columns);
  }

  Past past;
};
