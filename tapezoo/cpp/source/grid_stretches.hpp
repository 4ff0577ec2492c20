// The way of the controls, cut into stretches: in each they go in a straight line between where the glide has them at its ends.
//
// Stretches are counted from the newest target on, so nothing depends on how blocks are cut. The glide is the mean of the last
// facts::smoothing_samples targets.

constexpr int STRETCH = 64;
static_assert(STRETCH <= CHUNK, "a stretch is played at once");

// A part of a block: in one stretch, or, where `moves` is false, standing at `end`.
struct Part {
  bool moves;
  int done, samples;  // of the stretch before this part, and of this part
  Place begin, end;   // of the whole stretch
  double share(int n) const noexcept { return static_cast<double>(done + n + 1) / STRETCH; }  // of the way, at sample n
};

class Stretches {
 public:
  void stand(const Place& place) noexcept {
    target_ = begin_ = end_ = place;
    for (int k = 0; k < AXES; ++k) {
      for (double& told : told_[k]) told = place.at[k];
      sum_[k] = fixed(place.at[k]) * N;
    }
    next_ = 0, passed_ = WAY;
  }

  // From the next sample on.
  void aim(const Place& target) noexcept {
    if (target == target_) return;
    const int done = passed_ % STRETCH;
    const double share = static_cast<double>(done) / STRETCH;
    for (int k = 0; k < AXES && done; ++k) end_.at[k] = begin_.at[k] + (end_.at[k] - begin_.at[k]) * share;  // it ends here
    target_ = target, passed_ = 0;
  }

  const Place& target() const noexcept { return target_; }

  // The next part, of at most `samples`.
  Part next(int samples) noexcept {
    if (passed_ >= WAY) return {false, 0, samples, target_, target_};
    const int done = passed_ % STRETCH;
    if (!done) begin_ = end_, end_ = ahead();
    const int length = STRETCH - done < samples ? STRETCH - done : samples;
    passed_ += length;
    advance(length);
    return {true, done, length, begin_, end_};
  }

 private:
  static constexpr int N = facts::smoothing_samples, WAY = (N + STRETCH - 1) / STRETCH * STRETCH;
  static constexpr double ONE = 1099511627776.0;  // 2^40: sums of whole numbers are exact
  static std::int64_t fixed(double x) noexcept { return static_cast<std::int64_t>(x * ONE); }

  // Where the glide is a stretch later; exactly at the target at its end.
  Place ahead() const noexcept {
    Place made;
    for (int k = 0; k < AXES; ++k) {
      const std::int64_t to = fixed(target_.at[k]);
      std::int64_t sum = sum_[k];
      for (int n = 0, at = next_; n < STRETCH && n < N; ++n, at = at + 1 == N ? 0 : at + 1) sum += to - fixed(told_[k][at]);
      made.at[k] = target_.at[k] + (sum - to * N) * (1.0 / (ONE * N));
    }
    return made;
  }

  void advance(int samples) noexcept {
    for (int n = 0; n < samples; ++n) {
      for (int k = 0; k < AXES; ++k) {
        sum_[k] += fixed(target_.at[k]) - fixed(told_[k][next_]);
        told_[k][next_] = target_.at[k];
      }
      next_ = next_ + 1 == N ? 0 : next_ + 1;
    }
  }

  Place target_, begin_, end_;
  double told_[AXES][N];  // a ring: the oldest at next_
  std::int64_t sum_[AXES];
  int next_, passed_;
};
