// A transition with the same weights always: W::weights, rows of whole_vectors(width), laid out anew for this width.

template <class W>
class FixedTransition : public Transition<W> {
 public:
  // Its tables are others.
  void forget() noexcept {
    for (int row = 0; row < Transition<W>::WEIGHTS / Transition<W>::UNITS; ++row)
      for (int unit = 0; unit < Transition<W>::UNITS; ++unit)
        weights_[row * Transition<W>::UNITS + unit] = unit < W::width ? W::weights[row * W::width + unit] : 0.0f;
  }
  void play(const float* signal, float* out, int samples) noexcept {
    Transition<W>::play(weights_, signal, out, 0, samples);
  }

 private:
  alignas(64) float weights_[Transition<W>::WEIGHTS];
};
