// The last samples of some rows, and room behind them: what is remembered is moved back only now and then.

template <int ROWS, int PAST>
class Line {
 public:
  static constexpr int SLACK = PAST / 2 > CHUNK ? whole_vectors(PAST / 2) : CHUNK;
  static constexpr int STRIDE = whole_vectors(PAST + SLACK + CHUNK);

  // Call before a chunk is written.
  void make_room() noexcept {
    if (at_ <= SLACK) return;
    for (int row = 0; row < ROWS; ++row) std::memmove(data_ + row * STRIDE, data_ + row * STRIDE + at_, PAST * sizeof(float));
    at_ = 0;
  }

  float* past() noexcept { return data_ + at_; }        // of the first row; others every STRIDE
  float* now() noexcept { return data_ + at_ + PAST; }  // where the chunk stands
  void advance(int samples) noexcept { at_ += samples; }

  template <class S>
  void restore_row(S& source, int row) noexcept {
    if (row == 0) at_ = 0;
    read(source, data_ + row * STRIDE, PAST);
  }
  void save_row(Sink& sink, int row) const noexcept { write(sink, data_ + row * STRIDE + at_, PAST); }

 private:
  alignas(64) float data_[ROWS * STRIDE] = {};
  int at_ = 0;
};
