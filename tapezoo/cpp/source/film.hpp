// Rows of features times a gain plus an offset, both affine in controls. W has the rows of the gains, filled up to whole
// groups, then those of the offsets; `channels` are the features'.

template <class W>
class Film : public W {
 public:
  void play(const float* controls, bool still, float* rows, int samples) noexcept {
    if (!(still && known_)) product<W>(*this, controls, CHUNK, made_, CHUNK, still ? LANES : samples);
    known_ = still;
    const float* offsets = made_ + whole_groups(W::channels) * CHUNK;
    for (int row = 0; row < W::channels * CHUNK; row += CHUNK)
      for (int n = 0; n < samples; n += LANES) {
        const vec gain = still ? fill(made_[row]) : load(made_ + row + n);
        const vec offset = still ? fill(offsets[row]) : load(offsets + row + n);
        store(rows + row + n, fma(load(rows + row + n), gain, offset));
      }
  }
  void forget() noexcept { known_ = false; }

 private:
  alignas(64) float made_[W::rows * CHUNK] = {};
  bool known_ = false;
};
