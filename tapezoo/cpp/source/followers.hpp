// Followers m = p m + (1 - p) s, and how they bend a row. W has `followers`, how many; their `Numbers`: times, then two more
// of each; the range of the times, and the `rate`. The times are those of the newest knobs, also on the way there.

template <class W>
class Followers {
 public:
  static constexpr int COUNT = W::followers;

  void forget() noexcept { known_ = false; }

  template <class S>
  void restore(S& source) noexcept {
    for (double& level : level_) level = source.next(), source.next();
  }
  void save(Sink& sink) const noexcept {
    for (double level : level_) sink.next(level), sink.next(0.0);
  }

 protected:
  // Its numbers and p, with the knobs where they go.
  void follow(const float* newest, bool still) noexcept {
    if (still && known_) return;
    numbers_at<typename W::Numbers>(newest, 1, numbers_);
    for (int k = 0; k < COUNT; ++k)
      keep_[k] = std::exp(-1000.0 / (to_range(numbers_[k], W::range_ms[0], W::range_ms[1]) * W::rate));
    known_ = still;
  }
  // Its numbers, with the knobs where they are.
  void move(const float* knobs) noexcept { numbers_at<typename W::Numbers>(knobs, CHUNK, numbers_); }

  double first(int k) const noexcept { return numbers_[COUNT + k]; }
  double second(int k) const noexcept { return numbers_[2 * COUNT + k]; }
  double heard(int k, double s) noexcept { return level_[k] = keep_[k] * level_[k] + (1.0 - keep_[k]) * s; }

 private:
  double level_[COUNT] = {}, numbers_[3 * COUNT], keep_[COUNT];
  bool known_ = false;
};

// v = u + sum_k d_k (m_k - s_k), s_k = tanh(exp(c_k) u)
template <class W>
class Lag : public Followers<W> {
 public:
  void play(const float* knobs, const float* newest, bool still, double* row, int samples) noexcept {
    this->follow(newest, still);
    for (int n = 0; n < samples; ++n) {
      if (!still) this->move(knobs + n);
      const double u = row[n];
      for (int k = 0; k < W::followers; ++k) {
        const double s = std::tanh(std::exp(this->first(k)) * u);
        row[n] += this->second(k) * (this->heard(k, s) - s);
      }
    }
  }
};

// v = u exp(4 tanh(sum_k c_k m_k / 4)) + sum_k d_k m_k, s_k = |u|
template <class W>
class Level : public Followers<W> {
 public:
  void play(const float* knobs, const float* newest, bool still, double* row, int samples) noexcept {
    this->follow(newest, still);
    for (int n = 0; n < samples; ++n) {
      if (!still) this->move(knobs + n);
      double gain = 0.0, bias = 0.0;
      for (int k = 0; k < W::followers; ++k) {
        const double m = this->heard(k, std::fabs(row[n]));
        gain += this->first(k) * m, bias += this->second(k) * m;
      }
      row[n] = row[n] * std::exp(4.0 * std::tanh(gain / 4.0)) + bias;
    }
  }
};
