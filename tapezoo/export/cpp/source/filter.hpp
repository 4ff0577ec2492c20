// A causal filter, summed directly. W::taps, oldest first, W::length of them, and W::bias[1].

template <class W>
class Filter {
 public:
  static constexpr int TAPS = W::length;

  // out[n] = bias + sum_k taps[k] in[n - TAPS + 1 + k]; `out` may be `in`.
  void play(const float* in, float* out, int samples) noexcept {
    line_.make_room();
    std::memcpy(line_.now(), in, samples * sizeof(float));
    const float* x = line_.past();
    for (int start = 0; start < samples; start += 4 * LANES) {
      vec a = fill(W::bias[0]), b = a, c = a, d = a;  // none waits for another
      for (int tap = 0; tap < TAPS; ++tap) {
        const vec weight = fill(W::taps[tap]);
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
