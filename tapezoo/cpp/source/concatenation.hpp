// Features beside controls through one matrix: W::Features and W::Controls are its parts, the first with the bias.

template <class W>
class Concatenation {
 public:
  void play(const float* controls, bool still, float* rows, int samples) noexcept {
    typedef typename W::Controls C;
    if (!(still && known_)) product(C(), controls, CHUNK, made_, CHUNK, still ? LANES : samples);
    known_ = still;
    product(typename W::Features(), rows, CHUNK, mixed_, CHUNK, samples);
    for (int row = 0; row < C::rows * CHUNK; row += CHUNK)
      for (int n = 0; n < samples; n += LANES)
        store(rows + row + n, load(mixed_ + row + n) + (still ? fill(made_[row]) : load(made_ + row + n)));
  }
  void forget() noexcept { known_ = false; }

 private:
  alignas(64) float made_[whole_groups(W::Controls::rows) * CHUNK] = {};
  alignas(64) float mixed_[whole_groups(W::Controls::rows) * CHUNK];
  bool known_ = false;
};
