// A causal filter, summed directly. W::taps, oldest first, W::length of them, and W::bias[1].

// out[n] = bias + sum_k taps[k] x[n + k]; writes whole vectors, up to CHUNK.
inline void sum_taps(const float* x, const float* taps, int count, float bias, float* out, int samples) noexcept {
  for (int start = 0; start < samples; start += 4 * LANES) {
    vec a = fill(bias), b = a, c = a, d = a;  // none waits for another
    for (int tap = 0; tap < count; ++tap) {
      const vec weight = fill(taps[tap]);
      const float* heard = x + start + tap;
      a = fma(weight, load(heard), a);
      b = fma(weight, load(heard + LANES), b);
      c = fma(weight, load(heard + 2 * LANES), c);
      d = fma(weight, load(heard + 3 * LANES), d);
    }
    store(out + start, a);
    store(out + start + LANES, b);
    store(out + start + 2 * LANES, c);
    store(out + start + 3 * LANES, d);
  }
}

template <class W>
class Filter : public W {
 public:
  static constexpr int TAPS = W::length;

  // Rows of CHUNK; `out` may be `in`.
  void play(const float* in, float* out, int samples) noexcept {
    line_.make_room();
    std::memcpy(line_.now(), in, samples * sizeof(float));
    sum_taps(line_.past(), W::taps, TAPS, W::bias[0], out, samples);
    line_.advance(samples);
  }

  template <class S>
  void restore(S& source) noexcept {
    line_.restore_row(source, 0);
  }
  void save(Sink& sink) const noexcept { line_.save_row(sink, 0); }

 private:
  Line<1, TAPS - 1> line_;
};
