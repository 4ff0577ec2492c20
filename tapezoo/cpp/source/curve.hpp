// Curves of one number, of a vector of samples at a time; `bend_along` takes a row through one.

// l x + sum_i a_i (tanh(c_i x + b_i) - tanh(b_i)): W::linear[1], `amount`, `slope`, `offset`, and W::rest, the sum of
// a_i tanh(b_i).
template <class W>
struct TanhSum : W {
  TAPEZOO_INLINE vec at(vec x) const noexcept {
    vec sum = fma(x, fill(W::linear[0]), fill(-W::rest[0]));
    for (int i = 0; i < W::units; ++i) sum = fma(fill(W::amount[i]), tanh(fma(fill(W::slope[i]), x, fill(W::offset[i]))), sum);
    return sum;
  }
};

// x + third tanh(second tanh(first x + first_bias) + second_bias) - rest
template <class W>
struct Perceptron : W {
  TAPEZOO_INLINE vec at(vec x) const noexcept {
    vec inner[W::units], sum = x - fill(W::rest[0]);
    for (int i = 0; i < W::units; ++i) inner[i] = tanh(fma(fill(W::first[i]), x, fill(W::first_bias[i])));
    for (int i = 0; i < W::units; ++i) {
      vec outer = fill(W::second_bias[i]);
      for (int k = 0; k < W::units; ++k) outer = fma(fill(W::second[i * W::units + k]), inner[k], outer);
      sum = fma(fill(W::third[i]), tanh(outer), sum);
    }
    return sum;
  }
};

template <class Curve>
void bend_along(Curve curve, float* row) noexcept {
  for (int n = 0; n < CHUNK; n += LANES) store(row + n, curve.at(load(row + n)));
}
