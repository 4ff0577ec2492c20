// Recurrent layers and their output with weights W(p) = sum_d z_d W_d of the knobs p, z = (1, p, tanh(V p + v)).

// Knobs that glide, and beside their path its steps, rows of CHUNK.
template <int K, int N, int STEP>
class GlideAndSteps : public Stepped<K, N, STEP> {
 public:
  void follow(float* path, int stride, int samples) noexcept {
    const int passed = this->passed();
    Glide<K, N>::follow(path, stride, samples);
    for (int k = 0; k < K; ++k) std::memcpy(steps_ + k * CHUNK, path + k * stride, samples * sizeof(float));
    this->hold(steps_, CHUNK, passed, samples);
  }
  const float* steps() const noexcept { return steps_; }

 private:
  float steps_[K * CHUNK] = {};
};

// z of W::controls, shares of their sum where that is over 1 and W::blend, and of W::bent units: W::bend and W::bend_bias.
template <class W>
class Code {
 public:
  static constexpr int K = W::controls, SIZE = 1 + K + W::bent;

  static void at(const vec* knobs, vec* z) noexcept {
    vec scale = fill(1.0f);
    if constexpr (W::blend != 0) {
      vec sum = knobs[0];
      for (int k = 1; k < K; ++k) sum = sum + knobs[k];
      scale = scale / max(sum, scale);
    }
    z[0] = fill(1.0f);
    for (int k = 0; k < K; ++k) z[1 + k] = knobs[k] * scale;
    for (int unit = 0; unit < W::bent; ++unit) {
      vec sum = fill(W::bend_bias[unit]);
      for (int k = 0; k < K; ++k) sum = fma(fill(W::bend[unit * K + k]), z[1 + k], sum);
      z[1 + K + unit] = tanh(sum);
    }
  }

  // Along a chunk of the knobs' path.
  void follow(const float* path, bool still) noexcept {
    if (still && known_) return;
    vec knobs[K], z[SIZE];
    for (int n = 0; n < CHUNK; n += LANES) {
      for (int k = 0; k < K; ++k) knobs[k] = load(path + k * CHUNK + n);
      at(knobs, z);
      for (int d = 0; d < SIZE; ++d) store(rows + d * CHUNK + n, z[d]);
    }
    known_ = still;
  }
  void forget() noexcept { known_ = false; }

  alignas(64) float rows[SIZE * CHUNK] = {};

 private:
  bool known_ = false;
};

// The tables of the recurrent layers: W::parts, a row of W::numbers for each of the code.
template <class W>
class Cells {
 public:
  // Those that hold from sample `begin` on, and up to which sample; `steps`: of the knobs, rows of CHUNK.
  int next(const float* steps, int begin, int samples) noexcept {
    bool same = known_;
    int end = samples;
    for (int k = 0; k < W::controls; ++k) {
      const float* row = steps + k * CHUNK;
      same = same && row[begin] == held_[k];
      held_[k] = row[begin];
      int at = begin + 1;
      while (at < end && row[at] == held_[k]) ++at;
      end = at;
    }
    if (!same) mix();
    known_ = true;
    return end;
  }
  const float* tables() const noexcept { return tables_; }
  void forget() noexcept { known_ = false; }

 private:
  void mix() noexcept {
    vec knobs[W::controls], z[Code<W>::SIZE];
    for (int k = 0; k < W::controls; ++k) knobs[k] = fill(held_[k]);
    Code<W>::at(knobs, z);
    std::memcpy(tables_, W::parts, sizeof tables_);  // z begins with 1
    for (int d = 1; d < Code<W>::SIZE; ++d)
      for (int i = 0; i < W::numbers; i += LANES)
        store(tables_ + i, fma(z[d], load(W::parts + d * W::numbers + i), load(tables_ + i)));
  }

  alignas(64) float tables_[W::numbers];
  float held_[W::controls] = {};
  bool known_ = false;
};

// out[n] = sum_d z_d[n] (bias_d + head_d . features[n - begin]): W::bias, and W::head in rows as long as features.
template <class W, int UNITS>
void read_out_mixed(W w, const Features<UNITS>& features, const float* z, float* out, int begin, int end) noexcept {
  for (int n = begin; n < end; ++n) {
    const float* row = features.of(n - begin);
    vec sum = fill(0.0f);
    float bias = 0.0f;
    for (int d = 0; d < W::parts; ++d) {
      const float share = z[d * CHUNK + n];
      vec part = load(w.head + d * UNITS) * load(row);
      for (int unit = LANES; unit < UNITS; unit += LANES) part = fma(load(w.head + d * UNITS + unit), load(row + unit), part);
      sum = fma(fill(share), part, sum);
      bias += share * w.bias[d];
    }
    out[n] = bias + total(sum);
  }
}
