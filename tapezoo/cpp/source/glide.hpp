// Knobs at the mean of their last N targets: a lone jump is a straight line of N samples.

template <int K, int N>
class Glide {
 public:
  // Stands at these positions.
  void stand(const float* positions) noexcept {
    for (int k = 0; k < K; ++k) {
      target_[k] = positions[k];
      for (float& told : told_[k]) told = positions[k];
      sum_[k] = fixed(positions[k]) * N;
    }
    same_ = N;
  }

  // Goes to these from the next sample on; null: stays on its way.
  void aim(const float* positions) noexcept {
    if (!positions) return;
    for (int k = 0; k < K; ++k) {
      const float to = sane_position(positions[k], target_[k]);
      if (to != target_[k]) target_[k] = to, same_ = 0;
    }
  }

  bool moves() const noexcept { return same_ < N; }

  // Samples since the newest target was told; N or more: all stand at it.
  int passed() const noexcept { return same_; }

  const float* target() const noexcept { return target_; }

  // Where they are at the next samples: knob k's path from path + k stride on.
  void follow(float* path, int stride, int samples) noexcept {
    if (!moves()) {
      for (int k = 0; k < K; ++k)
        for (int n = 0; n < samples; ++n) path[k * stride + n] = target_[k];
      return;
    }
    for (int k = 0; k < K; ++k) {
      const std::int64_t to = fixed(target_[k]);
      for (int n = 0, at = next_; n < samples; ++n, at = at + 1 == N ? 0 : at + 1) {
        sum_[k] += to - fixed(told_[k][at]);
        told_[k][at] = target_[k];
        path[k * stride + n] = target_[k] + static_cast<float>((sum_[k] - to * N) * (1.0 / (ONE * N)));
      }
    }
    next_ = (next_ + samples) % N;
    same_ = same_ + samples < N ? same_ + samples : N;
  }

  template <class S>
  void restore(S& source) noexcept {
    next_ = 0;
    same_ = N;
    for (int k = 0; k < K; ++k) {
      sum_[k] = 0;
      read(source, told_[k], N);
      for (float& told : told_[k]) told = sane_position(told, 0.0f);  // else its sums might leave their range
      target_[k] = told_[k][N - 1];
      for (float told : told_[k]) sum_[k] += fixed(told);
    }
    for (int k = 0; k < K; ++k)
      for (int n = 0; n < N; ++n)
        if (told_[k][n] != target_[k] && same_ > N - 1 - n) same_ = N - 1 - n;
  }

  void save(Sink& sink) const noexcept {
    for (int k = 0; k < K; ++k) {
      write(sink, told_[k] + next_, N - next_);
      write(sink, told_[k], next_);
    }
  }

 private:
  // Sums of whole numbers are exact, however long a knob moves.
  static constexpr double ONE = 1099511627776.0;  // 2^40
  static std::int64_t fixed(float x) noexcept { return static_cast<std::int64_t>(x * ONE); }

  float told_[K][N];  // a ring: the oldest at next_
  std::int64_t sum_[K];
  float target_[K];
  int next_ = 0, same_ = N;
};
