// A causal filter whose taps are affine in the controls: W::taps has those at 0, then those of every control.

template <class W>
class ControlledFilter : public W {
 public:
  static constexpr int TAPS = W::length;

  // Rows of CHUNK; `out` may be `in`.
  void play(const float* controls, bool still, const float* in, float* out, int samples) noexcept {
    line_.make_room();
    std::memcpy(line_.now(), in, samples * sizeof(float));
    if (still) {
      if (!known_) mix(controls);
      sum_taps(line_.past(), taps_, TAPS, 0.0f, out, samples);
    } else {
      alignas(64) float part[CHUNK];
      sum_taps(line_.past(), W::taps, TAPS, 0.0f, out, samples);
      for (int k = 0; k < W::controls; ++k) {
        sum_taps(line_.past(), W::taps + (1 + k) * TAPS, TAPS, 0.0f, part, samples);
        for (int n = 0; n < samples; ++n) out[n] += controls[k * CHUNK + n] * part[n];
      }
    }
    known_ = still;
    line_.advance(samples);
  }
  void forget() noexcept { known_ = false; }

  template <class S>
  void restore(S& source) noexcept {
    line_.restore_row(source, 0);
  }
  void save(Sink& sink) const noexcept { line_.save_row(sink, 0); }

 private:
  void mix(const float* controls) noexcept {
    for (int tap = 0; tap < TAPS; ++tap) {
      taps_[tap] = W::taps[tap];
      for (int k = 0; k < W::controls; ++k) taps_[tap] += controls[k * CHUNK] * W::taps[(1 + k) * TAPS + tap];
    }
  }

  Line<1, TAPS - 1> line_;
  float taps_[TAPS];
  bool known_ = false;
};
