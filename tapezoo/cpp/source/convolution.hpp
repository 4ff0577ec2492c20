// A causal convolution with its past: W::rows from W::columns, W::taps of them W::dilation apart, oldest first.

template <class W>
class Convolution : public W {
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
    const float *const bias = W::bias, *const weight = W::weight, *const heard = past.past();
    each_tile(samples, [=](auto size, int n) {
      constexpr int T = size.vectors;
      for (int row = 0; row < W::rows; row += 4) {
        Tile<T> sums;
        begin<T>(sums, bias + row);
        const float* w = weight + row * W::taps * W::columns;
        for (int tap = 0; tap < W::taps; ++tap)
          accumulate<T>(sums, w + tap * 4 * W::columns, heard + tap * W::dilation + n, STRIDE, W::columns);
        finish<T>(sums, out + row * CHUNK + n, CHUNK);
      }
    });
  }

  Past past;
};
