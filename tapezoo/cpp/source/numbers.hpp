// Trained numbers that follow the knobs, in double precision.

// W::count of them, start + last tanh(first p + first_bias), with the knobs p `stride` apart.
template <class W>
void numbers_at(const float* knobs, int stride, double* made) noexcept {
  for (int i = 0; i < W::count; ++i) made[i] = W::start[i];
  if constexpr (W::controls > 0) {
    for (int unit = 0; unit < W::units; ++unit) {
      double sum = W::first_bias[unit];
      for (int k = 0; k < W::controls; ++k) sum += W::first[unit * W::controls + k] * knobs[k * stride];
      const double bent = std::tanh(sum);
      for (int i = 0; i < W::count; ++i) made[i] += W::last[i * W::units + unit] * bent;
    }
  }
  (void)knobs, (void)stride;
}

// Any number to lowest..highest, geometrically.
inline double to_range(double number, double lowest, double highest) noexcept {
  return lowest * std::exp(std::log(highest / lowest) / (1.0 + std::exp(-number)));
}
