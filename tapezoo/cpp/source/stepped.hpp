// Knobs that follow a glide in steps from each new target on.

template <int K, int N, int STEP>
class Stepped : public Glide<K, N> {
 public:
  void follow(float* path, int stride, int samples) noexcept {
    const int passed = this->passed();
    Glide<K, N>::follow(path, stride, samples);
    hold(path, stride, passed, samples);
  }
  template <class S>
  void restore_held(S& source) noexcept {
    read(source, held_, K);
  }
  void save_held(Sink& sink) const noexcept { write(sink, held_, K); }

 protected:
  // Makes steps of a path that began so many samples after the newest target.
  void hold(float* path, int stride, int passed, int samples) noexcept {
    for (int k = 0; k < K; ++k) {
      float* row = path + k * stride;
      for (int n = 0; n < samples; ++n) {
        const int position = passed + n;
        if (position >= N - 1)
          held_[k] = this->target()[k];
        else if (position % STEP == 0)
          held_[k] = row[n];
        row[n] = held_[k];
      }
    }
  }

 private:
  float held_[K] = {};
};
