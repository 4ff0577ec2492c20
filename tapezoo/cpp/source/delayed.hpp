// Recurrent layers that hear, in place of their last state, W::taps (W::depth, the oldest value's first) of their last ones.

// The last values of a state, and those of the chunk after them, UNITS apart.
template <class W, int UNITS>
class DelayedState {
 public:
  // What the layer hears at a sample.
  const float* heard(const float* taps, int sample) noexcept {
    for (int unit = 0; unit < UNITS; unit += LANES) {
      vec sum = fill(0.0f);
      for (int k = 0; k < W::depth; ++k) sum = fma(fill(taps[k]), load(rows_ + (sample + k) * UNITS + unit), sum);
      store(heard_ + unit, sum);
    }
    return heard_;
  }
  float* now(int sample) noexcept { return rows_ + (sample + W::depth) * UNITS; }
  void close(int samples) noexcept { std::memmove(rows_, rows_ + samples * UNITS, W::depth * UNITS * sizeof(float)); }

  template <class S>
  void restore(S& source) noexcept {
    for (int k = 0; k < W::depth; ++k) read(source, rows_ + k * UNITS, W::units);
  }
  void save(Sink& sink) const noexcept {
    for (int k = 0; k < W::depth; ++k) write(sink, rows_ + k * UNITS, W::units);
  }

 private:
  alignas(64) float rows_[(W::depth + CHUNK) * UNITS] = {};
  alignas(64) float heard_[UNITS];
};

// What both layers have: `Cell` makes one sample of B vectors of units.
template <class W, class Cell>
class DelayedLayer : public W {
 public:
  static constexpr int UNITS = whole_vectors(W::units), BLOCKS = (W::units + LANES - 1) / LANES, SUMS = 4 * UNITS;

  // Input j of sample n is x[n sample + j step]; those from `heard` on stand still.
  void play(const float* x, int sample, int step, int heard, int samples) noexcept {
    held_sums<SUMS>(base_, W::bias, W::input + heard * SUMS, x + heard * step, step, W::inputs - heard);
    Cell& cell = static_cast<Cell&>(*this);
    for (int n = 0; n < samples; ++n, x += sample) {
      cell.hear(n);
      int block = 0;
      for (; block + 2 <= BLOCKS; block += 2) cell.template units<2>(block * LANES, x, step, heard, n);
      if (block < BLOCKS) cell.template units<1>(block * LANES, x, step, heard, n);
      std::memcpy(features.rows + (n + 1) * UNITS, hidden_.now(n), UNITS * sizeof(float));
    }
    cell.close(samples);
  }

  template <class S>
  void restore_hidden(S& source) noexcept {
    hidden_.restore(source);
  }
  void save_hidden(Sink& sink) const noexcept { hidden_.save(sink); }

  Features<UNITS> features;

 protected:
  DelayedState<W, UNITS> hidden_;
  const float* before_ = nullptr;
  alignas(64) float base_[SUMS];
};

// The tables are those of `lstm.hpp`.
template <class W>
class DelayedLstm : public DelayedLayer<W, DelayedLstm<W>> {
  typedef DelayedLayer<W, DelayedLstm<W>> Base;
  friend Base;

 public:
  static constexpr int UNITS = Base::UNITS;
  template <class S>
  void restore_cell(S& source) noexcept {
    cell_.restore(source);
  }
  void save_cell(Sink& sink) const noexcept { cell_.save(sink); }

 private:
  void hear(int n) noexcept { this->before_ = this->hidden_.heard(W::taps, n), cell_before_ = cell_.heard(W::taps, n); }
  void close(int samples) noexcept { this->hidden_.close(samples), cell_.close(samples); }

  template <int B>
  TAPEZOO_APART void units(int unit, const float* x, int step, int heard, int n) noexcept {
    vec sums[B][4];
    start<B, 4, UNITS>(sums, this->base_ + unit);
    multiply<B, 4, UNITS>(sums, W::input + unit, x, step, heard);
    multiply<B, 4, UNITS>(sums, W::hidden + unit, this->before_, 1, W::units);
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const int at = unit + b * LANES;
      const vec i = power_of_two(sums[b][0]), f = power_of_two(sums[b][1]), o = power_of_two(sums[b][3]);
      const Ratio g = short_tanh_ratio(sums[b][2]);
      const vec cell = load(cell_before_ + at) / (fill(1.0f) + f) + g.over / fma(g.under, i, g.under);
      store(cell_.now(n) + at, cell);
      const Ratio bent = short_tanh_ratio(cell);
      store(this->hidden_.now(n) + at, bent.over / fma(bent.under, o, bent.under));
    }
  }

  DelayedState<W, UNITS> cell_;
  const float* cell_before_ = nullptr;
};

// The tables are those of `gru.hpp`.
template <class W>
class DelayedGru : public DelayedLayer<W, DelayedGru<W>> {
  typedef DelayedLayer<W, DelayedGru<W>> Base;
  friend Base;

 public:
  static constexpr int UNITS = Base::UNITS;

 private:
  void hear(int n) noexcept { this->before_ = this->hidden_.heard(W::taps, n); }
  void close(int samples) noexcept { this->hidden_.close(samples); }

  template <int B>
  TAPEZOO_APART void units(int unit, const float* x, int step, int heard, int n) noexcept {
    vec sums[B][3];
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const float* from = this->base_ + unit + b * LANES;
      sums[b][0] = load(from), sums[b][1] = load(from + UNITS), sums[b][2] = load(from + 3 * UNITS);
    }
    multiply<B, 3, UNITS>(sums, W::hidden + unit, this->before_, 1, W::units);
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const int at = unit + b * LANES;
      vec own[1][4] = {{sums[b][0], sums[b][1], load(this->base_ + 2 * UNITS + at), sums[b][2]}};
      multiply<1, 4, UNITS>(own, W::input + at, x, step, heard);
      const vec m = short_tanh(own[0][2] + sigmoid(own[0][0]) * own[0][3]), kept = sigmoid(own[0][1]);
      store(this->hidden_.now(n) + at, fma(kept, load(this->before_ + at) - m, m));
    }
  }
};
