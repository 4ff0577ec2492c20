// A gain and an offset per channel that follow the signal: an LSTM on the loudest of every 128 samples and the controls.
//
// W::pooled, W::recurrent: columns of four gates (i, f, g, o), UNITS long each, sums as in `Lstm`; W::made: gains and offsets.

template <class W>
class TemporalFilm : public W {
 public:
  static constexpr int UNITS = whole_vectors(W::channels), POOLED = 128;

  void play(const float* controls, float* rows, int samples) noexcept {
    modulate();
    for (int from = 0; from < samples;) {
      const int left = POOLED - clock_, length = samples - from < left ? samples - from : left;
      for (int c = 0; c < W::channels; ++c)
        for (int n = c * CHUNK + from; n < c * CHUNK + from + length; ++n) {
          const float x = rows[n], size = x < 0 ? -x : x;
          if (size > peak_[c]) peak_[c] = size;
          rows[n] = x * gain_[c] + offset_[c];
        }
      from += length;
      clock_ += length;
      if (clock_ < POOLED) continue;
      clock_ = 0;
      listen(controls + from - 1);
      modulate();
    }
  }

  template <class S>
  void restore_peak(S& source) noexcept {
    read(source, peak_, W::channels);
  }
  template <class S>
  void restore_clock(S& source) noexcept {
    const double clock = source.next();
    clock_ = clock >= 0.0 && clock < POOLED ? static_cast<int>(clock + 0.5) % POOLED : 0;
  }
  template <class S>
  void restore_hidden(S& source) noexcept {
    read(source, hidden_, W::channels);
  }
  template <class S>
  void restore_cell(S& source) noexcept {
    read(source, cell_, W::channels);
  }
  void save_peak(Sink& sink) const noexcept { write(sink, peak_, W::channels); }
  void save_clock(Sink& sink) const noexcept { sink.next(clock_); }
  void save_hidden(Sink& sink) const noexcept { write(sink, hidden_, W::channels); }
  void save_cell(Sink& sink) const noexcept { write(sink, cell_, W::channels); }

 private:
  static void add(float* sums, const float* column, float x, int count) noexcept {
    for (int i = 0; i < count; i += LANES) store(sums + i, fma(fill(x), load(column + i), load(sums + i)));
  }

  void listen(const float* controls) noexcept {
    alignas(64) float sums[4 * UNITS];
    std::memcpy(sums, W::bias, sizeof sums);
    for (int c = 0; c < W::channels; ++c) add(sums, W::pooled + c * 4 * UNITS, peak_[c], 4 * UNITS);
    for (int k = 0; k < W::controls; ++k) add(sums, W::pooled + (W::channels + k) * 4 * UNITS, controls[k * CHUNK], 4 * UNITS);
    for (int c = 0; c < W::channels; ++c) add(sums, W::recurrent + c * 4 * UNITS, hidden_[c], 4 * UNITS);
    for (int u = 0; u < UNITS; u += LANES) {
      const vec let_in = sigmoid(load(sums + u)) * short_tanh(load(sums + 2 * UNITS + u));
      const vec cell = fma(sigmoid(load(sums + UNITS + u)), load(cell_ + u), let_in);
      store(cell_ + u, cell);
      store(hidden_ + u, sigmoid(load(sums + 3 * UNITS + u)) * short_tanh(cell));
    }
    for (float& peak : peak_) peak = 0.0f;
  }

  void modulate() noexcept {
    std::memcpy(gain_, W::made_bias, sizeof gain_);
    std::memcpy(offset_, W::made_bias + UNITS, sizeof offset_);
    for (int c = 0; c < W::channels; ++c) {
      add(gain_, W::made + c * 2 * UNITS, hidden_[c], UNITS);
      add(offset_, W::made + c * 2 * UNITS + UNITS, hidden_[c], UNITS);
    }
  }

  alignas(64) float peak_[UNITS] = {}, hidden_[UNITS] = {}, cell_[UNITS] = {}, gain_[UNITS], offset_[UNITS];
  int clock_ = 0;
};
