// i, f, g, o as in PyTorch; the sums of i, f and o come as `power_of_two` takes them.

template <class W>
class Lstm : public W {
 public:
  static constexpr int UNITS = whole_vectors(W::units), BLOCKS = (W::units + LANES - 1) / LANES, SUMS = 4 * UNITS;

  // Input j of sample n is x[n sample + j step]; those from `heard` on stand still.
  //
  // The order is made for processors that look some 200 operations ahead: while the last units of a sample are on their
  // way, the next sample sums what all others tell it.
  void play(const float* x, int sample, int step, int heard, int samples) noexcept {
    held_sums<SUMS>(base_, W::bias, W::input + heard * SUMS, x + heard * step, step, W::inputs - heard);
    float* hidden = features.rows;
    begin_first(x, step, heard, hidden);
    begin_last(x, step, heard, hidden);
    for (int n = 0; n < samples; ++n, hidden += UNITS) {
      for (int block = 0; block < LAST; block += 2) remember<2>(block * LANES, block - 2, hidden);
      remember<BLOCKS - LAST>(LAST * LANES, LAST - 2, hidden);
      const bool more = n + 1 < samples;
      if (more) begin_first(x += sample, step, heard, hidden + UNITS);
      show<BLOCKS - LAST>(LAST * LANES, hidden);
      if (more) begin_last(x, step, heard, hidden + UNITS);
    }
    std::memcpy(features.rows, hidden, UNITS * sizeof(float));
  }

  template <class S>
  void restore_hidden(S& source) noexcept {
    read(source, features.rows, W::units);
  }
  template <class S>
  void restore_cell(S& source) noexcept {
    read(source, cell_, W::units);
  }
  void save_hidden(Sink& sink) const noexcept { write(sink, features.rows, W::units); }
  void save_cell(Sink& sink) const noexcept { write(sink, cell_, W::units); }

  Features<UNITS> features;

 private:
  static constexpr int LAST = (BLOCKS - 1) / 2 * 2;  // the block that the last one or two begin with
  static constexpr int LATE = LAST * LANES;          // and the unit

  void begin_first(const float* x, int step, int heard, const float* hidden) noexcept {
    for (int block = 0; block < LAST; block += 2) begin<2>(block * LANES, x, step, heard, hidden);
  }
  void begin_last(const float* x, int step, int heard, const float* hidden) noexcept {
    begin<BLOCKS - LAST>(LATE, x, step, heard, hidden);
  }

  // The sums of B blocks without what the units from LATE on tell them.
  template <int B>
  TAPEZOO_APART void begin(int unit, const float* x, int step, int heard, const float* hidden) noexcept {
    vec sums[B][4];
    start<B, 4, UNITS>(sums, base_ + unit);
    multiply<B, 4, UNITS>(sums, W::input + unit, x, step, heard);
    multiply<B, 4, UNITS>(sums, W::hidden + unit, hidden, 1, LATE);
    keep<B, 4, UNITS>(sums, sums_ + unit);
  }

  // The rest of these sums; shows the two blocks from `before` on, if there are any; then the cells.
  template <int B>
  TAPEZOO_APART void remember(int unit, int before, float* hidden) noexcept {
    vec sums[B][4];
    start<B, 4, UNITS>(sums, sums_ + unit);
    multiply<B, 4, UNITS>(sums, W::hidden + LATE * SUMS + unit, hidden + LATE, 1, W::units - LATE);
    if (before >= 0) show<2>(before * LANES, hidden);
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      float* cell = cell_ + unit + b * LANES;
      const vec i = power_of_two(sums[b][0]), f = power_of_two(sums[b][1]);
      const Ratio g = short_tanh_ratio(sums[b][2]);
      store(cell, load(cell) / (fill(1.0f) + f) + g.over / fma(g.under, i, g.under));  // one division would wait longer
      store(shown_ + unit + b * LANES, power_of_two(sums[b][3]));
    }
  }

  // h of B blocks, from their cells.
  template <int B>
  TAPEZOO_INLINE void show(int unit, float* hidden) noexcept {
    TAPEZOO_UNROLL
    for (int b = 0; b < B; ++b) {
      const int from = unit + b * LANES;
      const Ratio bent = short_tanh_ratio(load(cell_ + from));
      store(hidden + UNITS + from, bent.over / fma(bent.under, load(shown_ + from), bent.under));
    }
  }

  alignas(64) float cell_[UNITS] = {};
  alignas(64) float base_[SUMS], sums_[SUMS], shown_[UNITS];
};
