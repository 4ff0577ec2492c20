// out[n] += head . features[n]: W::head, as long as a row of features.

template <class W, int UNITS>
void read_out(W w, const Features<UNITS>& features, float* out, int samples) noexcept {
  for (int n = 0; n < samples; ++n) {
    const float* row = features.of(n);
    vec sum = load(w.head) * load(row);
    for (int unit = LANES; unit < UNITS; unit += LANES) sum = fma(load(w.head + unit), load(row + unit), sum);
    out[n] += total(sum);
  }
}
