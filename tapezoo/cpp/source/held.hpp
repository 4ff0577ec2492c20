// What is left of conditioners whose controls stand still, and gated units.

// W::gain and W::offset of every channel.
template <class W>
void scale_rows(W w, float* rows, int samples) noexcept {
  for (int c = 0; c < W::channels; ++c)
    for (int n = c * CHUNK; n < c * CHUNK + samples; n += LANES)
      store(rows + n, fma(load(rows + n), fill(w.gain[c]), fill(w.offset[c])));
}

// Every channel from all.
template <class W>
void mix_rows(W w, float* rows, int samples) noexcept {
  alignas(64) float mixed[whole_groups(W::rows) * CHUNK];
  product(w, rows, CHUNK, mixed, CHUNK, samples);
  std::memcpy(rows, mixed, W::rows * CHUNK * sizeof(float));
}

// U h v / (1 + |v|) with v = V h: W has the rows of U, filled up to whole groups, then those of V.
template <class W>
void gate_rows(W w, float* rows, int samples) noexcept {
  alignas(64) float mixed[W::rows * CHUNK];
  product(w, rows, CHUNK, mixed, CHUNK, samples);
  const float* gates = mixed + whole_groups(W::channels) * CHUNK;
  for (int row = 0; row < W::channels * CHUNK; row += CHUNK)
    for (int n = row; n < row + samples; n += LANES) {
      const vec gate = load(gates + n);
      store(rows + n, load(mixed + n) * gate / (fill(1.0f) + max(gate, fill(0.0f) - gate)));
    }
}
