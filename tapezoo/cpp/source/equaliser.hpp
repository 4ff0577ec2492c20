// A low shelf, peaks and a high shelf in series, W::sections of them: trapezoidal state-variable filters (Simper 2013) with
// the shapes of Bristow-Johnson's cookbook. W has their `Numbers`: gains, frequencies, Q; the ranges of these; and the `rate`.

template <class W>
class Equaliser {
 public:
  // A row in place; knobs are rows of CHUNK.
  void play(const float* knobs, bool still, double* row, int samples) noexcept {
    if (still) {
      if (!known_) design(knobs);
      for (int i = 0; i < W::sections; ++i)
        for (int n = 0; n < samples; ++n) row[n] = step(i, row[n]);
    } else {
      for (int n = 0; n < samples; ++n) {
        design(knobs + n);
        for (int i = 0; i < W::sections; ++i) row[n] = step(i, row[n]);
      }
    }
    known_ = still;
  }
  void forget() noexcept { known_ = false; }

  template <class S>
  void restore(S& source) noexcept {
    for (auto& state : state_)
      for (double& part : state) part = source.next();
  }
  void save(Sink& sink) const noexcept {
    for (const auto& state : state_)
      for (double part : state) sink.next(part);
  }

 private:
  struct Section {
    double a1, a2, a3, m0, m1, m2;
  };

  void design(const float* knobs) noexcept {
    double numbers[3 * W::sections];
    numbers_at<typename W::Numbers>(knobs, CHUNK, numbers);
    for (int i = 0; i < W::sections; ++i) {
      const double gain_db = 15.0 * std::tanh(numbers[i]);
      const double hz = to_range(numbers[W::sections + i], W::lowest_hz[i], W::highest_hz[i]);
      const double q = to_range(numbers[2 * W::sections + i], W::lowest_q[0], W::highest_q[i]);
      const double A = std::exp(gain_db * (2.302585092994045684 / 40.0)), w = std::tan(3.141592653589793238 / W::rate * hz);
      const bool is_low = i == 0, is_high = i == W::sections - 1;
      const double g = is_low ? w / std::sqrt(A) : is_high ? w * std::sqrt(A) : w;
      const double k = is_low || is_high ? 1.0 / q : 1.0 / (q * A);
      Section& made = sections_[i];
      made.a1 = 1.0 / (1.0 + g * (g + k)), made.a2 = g * made.a1, made.a3 = g * made.a2;
      made.m0 = is_high ? A * A : 1.0;
      made.m1 = is_low ? k * (A - 1.0) : is_high ? k * (1.0 - A) * A : k * (A * A - 1.0);
      made.m2 = is_low ? A * A - 1.0 : is_high ? 1.0 - A * A : 0.0;
    }
  }

  TAPEZOO_INLINE double step(int i, double x) noexcept {
    const Section& of = sections_[i];
    double &s1 = state_[i][0], &s2 = state_[i][1];
    const double band = of.a1 * s1 + of.a2 * (x - s2), low = s2 + of.a2 * s1 + of.a3 * (x - s2);
    s1 = 2.0 * band - s1, s2 = 2.0 * low - s2;
    return of.m0 * x + of.m1 * band + of.m2 * low;
  }

  double state_[W::sections][2] = {};
  Section sections_[W::sections];
  bool known_ = false;
};
