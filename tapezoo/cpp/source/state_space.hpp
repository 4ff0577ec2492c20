// Diagonal state spaces, one for each of W::channels, of W::modes complex numbers: s = a s + b u, y = Re(2 C s) + D u.
//
// In double precision: memories of thousands of samples lose too much in float32. Tables mode by mode, channels in a row.

template <class W>
class StateSpace {
 public:
  static constexpr int SIZE = W::modes * W::channels;

  // Rows in place.
  void play(float* rows, int samples) noexcept {
    for (int n = 0; n < samples; ++n) {
      alignas(64) double heard[W::channels], made[W::channels];
      for (int c = 0; c < W::channels; ++c) {
        heard[c] = rows[c * CHUNK + n];
        made[c] = W::direct[c] * heard[c];
      }
      for (int from = 0; from < SIZE; from += W::channels)
        for (int c = 0; c < W::channels; ++c) {
          const int at = from + c;
          const double re = W::a_re[at] * re_[at] - W::a_im[at] * im_[at] + W::b_re[at] * heard[c];
          const double im = W::a_re[at] * im_[at] + W::a_im[at] * re_[at] + W::b_im[at] * heard[c];
          re_[at] = re, im_[at] = im;
          made[c] += W::c_re[at] * re - W::c_im[at] * im;
        }
      for (int c = 0; c < W::channels; ++c) rows[c * CHUNK + n] = static_cast<float>(made[c]);
    }
  }

  template <class S>
  void restore(S& source) noexcept {
    for (int c = 0; c < W::channels; ++c)
      for (int mode = 0; mode < W::modes; ++mode) {
        re_[mode * W::channels + c] = source.next();
        im_[mode * W::channels + c] = source.next();
      }
  }
  void save(Sink& sink) const noexcept {
    for (int c = 0; c < W::channels; ++c)
      for (int mode = 0; mode < W::modes; ++mode) {
        sink.next(re_[mode * W::channels + c]);
        sink.next(im_[mode * W::channels + c]);
      }
  }

 private:
  alignas(64) double re_[SIZE] = {}, im_[SIZE] = {};
};
