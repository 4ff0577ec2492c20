// y = f(u) + gain x, x one channel or as many as u; W::slope of every channel below 0 where f is a ramp.

template <class W>
void end_block(W w, const float* u, const float* x, int x_stride, float* y, int stride, int samples) noexcept {
  for (int c = 0; c < W::channels; ++c) {
    const float* heard = x + (W::wide ? c * x_stride : 0);
    const vec gain = fill(w.gain[c]), zero = fill(0.0f);
    for (int n = 0; n < samples; n += LANES) {
      const vec value = load(u + c * CHUNK + n);
      vec bent;
      if constexpr (W::bends)
        bent = tanh(value);
      else
        bent = fma(fill(w.slope[c]), min(value, zero), max(value, zero));
      store(y + c * stride + n, fma(load(heard + n), gain, bent));
    }
  }
}
