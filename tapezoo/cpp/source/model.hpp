// One channel of the effect. It is a plain value: a copy of it goes on from where it stands. It allocates nothing, takes no
// lock, throws nothing, and may be used from one thread at a time; two of them share nothing but constants.
class Model {
 public:
  static constexpr int sample_rate = facts::sample_rate;          // Hz, what it was trained at
  static constexpr int num_controls = facts::num_controls;        // positions 0..1, see `facts::controls`
  static constexpr int latency_samples = facts::latency_samples;  // of the output against the input
  static constexpr int settle_samples = facts::settle_samples;    // see `settle`
  static constexpr int state_values = facts::state_values;        // see `save`
  static constexpr std::uint64_t fingerprint = facts::fingerprint;  // of its code and weights, see `restore`

  // Where a caller's knobs are, through a pointer whose length nobody can check; an array is checked by its type.
  struct Positions {
    const float* at;
    Positions(const float* positions) noexcept : at(positions) {}
  };

  // What a tape behind the net reads, see `Loops`, and where in it a channel is; both are empty for a net without one.
  using Loops = decltype(State::tape)::Loops;
  using Places = decltype(State::tape)::Places;

  // A net with a tape behind it has no other constructor.
  explicit Model(const Loops& loops) noexcept {
    state_.tape.use(loops);
    reset();
  }
  template <class L = Loops, class = std::enable_if_t<std::is_default_constructible<L>::value>>
  Model() noexcept : Model(L()) {}

  // At rest, with the controls at their defaults, and where the first channel of a tape begins.
  void reset() noexcept {
    Runs rest(facts::rest);
    state_.restore(rest);
  }

  // Where loops are read next, in samples, any numbers of 0 or more: others are another take. All channels of a tape hear
  // the same transport, and each another part of the noise; `places_of` are those that a channel begins with.
  Places places() const noexcept { return state_.tape.places(); }
  void go_to(Places places) noexcept { state_.tape.go_to(places); }
  static Places places_of(int channel) noexcept { return decltype(State::tape)::places_of(channel); }

  // At rest with the controls held at these positions: plays `settle_samples` of silence, so not while audio runs. Loops
  // are read on from where they were.
  void settle(Positions controls) noexcept {
    const Places kept = places();
    reset();
    alignas(64) float silence[CHUNK] = {}, unheard[CHUNK];
    const int count = num_controls && controls.at ? settle_samples : 0;
    for (int done = 0; done < count; done += CHUNK) process(silence, unheard, CHUNK, controls);
    go_to(kept);
  }
  template <int COUNT>
  void settle(const float (&controls)[COUNT]) noexcept {
    static_assert(COUNT == num_controls, "as many positions as the net has controls");
    settle(Positions(controls));
  }

  // Plays a block of any length, 0 too; full scale is +-1. `out` may be `in`, but not overlap it otherwise.
  //
  // `controls` are where the knobs shall go, num_controls of them; null: where they went before. They glide there over
  // facts::smoothing_samples. Positions outside 0..1 are taken as the nearer end, NaN as no news. A sample that is NaN or
  // infinite is heard as silence, one over 1e6 as 1e6.
  //
  // False: the net left all bounds, as from a restored state that no sound leads to. It is at rest again, and its controls
  // go where they went; what it had no number for is silence. So is everything with loops that are not this model's.
  bool process(const float* in, float* out, int samples, Positions controls = nullptr) noexcept {
    const NoDenormals guard;
    bool well = true;
    state_.knobs.aim(controls.at);
    alignas(64) float signal[(1 + facts::net_controls) * CHUNK], heard[CHUNK];
    for (int start = 0; start < samples; start += CHUNK) {
      const int length = samples - start < CHUNK ? samples - start : CHUNK;
      for (int n = 0; n < length; ++n) signal[n] = sane(in[start + n]);
      for (int n = length; n < CHUNK; ++n) signal[n] = 0.0f;
      const bool still = !state_.knobs.moves();
      state_.knobs.follow(signal + CHUNK, CHUNK, still ? CHUNK : length);
      for (int row = 1; row <= facts::net_controls && !still; ++row)
        for (int n = length; n < CHUNK; ++n) signal[row * CHUNK + n] = signal[row * CHUNK + length - 1];
      state_.play(signal, still, heard, length);
      if (!finite(heard, length)) {
        well = false;
        for (int n = 0; n < length; ++n) heard[n] = finite(heard + n, 1) ? heard[n] : 0.0f;
        const auto knobs = state_.knobs;
        const Places kept = places();
        reset();
        state_.knobs = knobs;
        go_to(kept);
      }
      std::memcpy(out + start, heard, length * sizeof(float));
    }
    return well;
  }
  template <int COUNT>
  bool process(const float* in, float* out, int samples, const float (&controls)[COUNT]) noexcept {
    static_assert(COUNT == num_controls, "as many positions as the net has controls");
    return process(in, out, samples, Positions(controls));
  }

  // The state as numbers, state_values of them, in the order of the bundle's manifest; keep `fingerprint` beside them.
  void save(double* to) const noexcept {
    Sink sink(to);
    state_.save(sink);
  }

  // Goes on from `count` numbers that a model with the fingerprint `of` saved. False, and nothing has changed: another
  // count, another net or another version of it, or a number that no float can be.
  bool restore(const double* from, int count, std::uint64_t of = fingerprint) noexcept {
    if (count != state_values || of != fingerprint) return false;
    for (int i = 0; i < count; ++i)
      if (!is_float(from[i])) return false;
    Source source(from);
    state_.restore(source);
    return true;
  }

 private:
  State state_;
};
