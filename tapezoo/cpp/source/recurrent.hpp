// LSTM and GRU layers, a vector of units at a time, and what they have in common.
//
// A layer's W has `inputs`, `units` and three tables, whose rows are UNITS long (units and zeros): `bias`, `input` of every
// input and `hidden` of every unit, each as long as there are sums, gate by gate.

// What layers of the same net hand on: features of every sample, UNITS apart, after the last ones of the chunk before.
template <int UNITS>
struct Features {
  alignas(64) float rows[(CHUNK + 1) * UNITS] = {};
  const float* of(int sample) const noexcept { return rows + (sample + 1) * UNITS; }
};

// sums[b][g] += sum_k x[k step] w[k][g][b LANES ...], for B vectors of units and G sums of each.
template <int B, int G, int UNITS>
TAPEZOO_INLINE void multiply(vec (&sums)[B][G], const float* w, const float* x, int step, int count) {
  for (int k = 0; k < count; ++k) {
    const vec value = fill(x[k * step]);
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      TAPEZOO_UNROLL
      for (int g = 0; g < G; ++g) sums[b][g] = fma(value, load(w + g * UNITS + b * LANES), sums[b][g]);
    }
    w += G * UNITS;
  }
}

template <int B, int G, int UNITS>
TAPEZOO_INLINE void start(vec (&sums)[B][G], const float* w) {
  TAPEZOO_UNROLL
  for (int b = 0; b < B; ++b) {
    TAPEZOO_UNROLL
    for (int g = 0; g < G; ++g) sums[b][g] = load(w + g * UNITS + b * LANES);
  }
}

template <int B, int G, int UNITS>
TAPEZOO_INLINE void keep(const vec (&sums)[B][G], float* to) {
  TAPEZOO_UNROLL
  for (int b = 0; b < B; ++b) {
    TAPEZOO_UNROLL
    for (int g = 0; g < G; ++g) store(to + g * UNITS + b * LANES, sums[b][g]);
  }
}

// bias + what inputs that stand still add, at sample 0.
template <int ROWS>
void held_sums(float* base, const float* bias, const float* w, const float* x, int step, int count) noexcept {
  std::memcpy(base, bias, ROWS * sizeof(float));
  for (int k = 0; k < count; ++k)
    for (int row = 0; row < ROWS; ++row) base[row] += x[k * step] * w[k * ROWS + row];
}
