// r, z, m as in PyTorch; `input` and `bias` have the sums r, z, m and m's hidden part, whose inputs are zeros, `hidden`
// has r, z and that part. The sums of r and z come as `power_of_two` takes them.

template <class W>
class Gru : public W {
 public:
  static constexpr int UNITS = whole_vectors(W::units), BLOCKS = (W::units + LANES - 1) / LANES, SUMS = 4 * UNITS;

  // Input j of sample n is x[n sample + j step]; those from `heard` on stand still.
  void play(const float* x, int sample, int step, int heard, int samples) noexcept {
    held_sums<SUMS>(base_, W::bias, W::input + heard * SUMS, x + heard * step, step, W::inputs - heard);
    for (int n = 0; n < samples; ++n, x += sample) {
      float* hidden = features.rows + n * UNITS;
      int block = 0;
      for (; block + 4 <= BLOCKS; block += 4) units<4>(block * LANES, x, step, heard, hidden);
      for (; block + 2 <= BLOCKS; block += 2) units<2>(block * LANES, x, step, heard, hidden);
      if (block < BLOCKS) units<1>(block * LANES, x, step, heard, hidden);
    }
    std::memcpy(features.rows, features.rows + samples * UNITS, UNITS * sizeof(float));
  }

  template <class S>
  void restore_hidden(S& source) noexcept {
    read(source, features.rows, W::units);
  }
  void save_hidden(Sink& sink) const noexcept { write(sink, features.rows, W::units); }

  Features<UNITS> features;

 private:
  template <int B>
  TAPEZOO_APART void units(int unit, const float* x, int step, int heard, float* hidden) noexcept {
    vec sums[B][3];
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const float* from = base_ + unit + b * LANES;
      sums[b][0] = load(from), sums[b][1] = load(from + UNITS), sums[b][2] = load(from + 3 * UNITS);
    }
    multiply<B, 3, UNITS>(sums, W::hidden + unit, hidden, 1, W::units);
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const int from = unit + b * LANES;
      vec own[1][4] = {{sums[b][0], sums[b][1], load(base_ + 2 * UNITS + from), sums[b][2]}};
      multiply<1, 4, UNITS>(own, W::input + from, x, step, heard);
      const vec m = short_tanh(own[0][2] + sigmoid(own[0][0]) * own[0][3]), kept = sigmoid(own[0][1]);
      store(hidden + UNITS + from, fma(kept, load(hidden + from) - m, m));  // (1 - z) m + z h
    }
  }

  alignas(64) float base_[SUMS];
};
