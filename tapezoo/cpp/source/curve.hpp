// A row through l x + sum_i a_i (tanh(c_i x + b_i) - tanh(b_i)): W::linear[1], `amount`, `slope`, `offset`, and W::rest, the
// sum of a_i tanh(b_i).

template <class W>
void bend_along(float* row) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) {
    const vec x = load(row + n);
    vec sum = fma(x, fill(W::linear[0]), fill(-W::rest[0]));
    for (int i = 0; i < W::units; ++i) sum = fma(fill(W::amount[i]), tanh(fma(fill(W::slope[i]), x, fill(W::offset[i]))), sum);
    store(row + n, sum);
  }
}
