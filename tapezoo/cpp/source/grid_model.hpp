// One channel of the effect. It is a plain value: a copy of it goes on from where it stands. It allocates nothing, takes no
// lock, throws nothing, and may be used from one thread at a time; two of them share nothing but constants.
class Model {
 public:
  static constexpr int sample_rate = facts::sample_rate;          // Hz, what it was trained at
  static constexpr int num_controls = facts::num_controls;        // positions 0..1, see `facts::controls`
  static constexpr int latency_samples = facts::latency_samples;  // of the output against the input
  static constexpr int settle_samples = facts::settle_samples;    // see `settle`
  static constexpr std::uint64_t fingerprint = facts::fingerprint;  // of its code and weights

  // Where a caller's knobs are, through a pointer whose length nobody can check; an array is checked by its type.
  struct Positions {
    const float* at;
    Positions(const float* positions) noexcept : at(positions) {}
  };

  Model() noexcept { reset(); }

  // At rest, with the controls at their defaults.
  void reset() noexcept {
    for (int k = 0; k < AXES; ++k) told_[k] = static_cast<float>(facts::defaults[k]);
    stretches_.stand(default_place());
    player_.rest();
  }

  // At rest with the controls held at these positions: plays up to `settle_samples` of silence, so not while audio runs.
  void settle(Positions controls) noexcept {
    reset();
    if (!controls.at) return;
    const Place place = place_of(controls.at);
    stretches_.stand(place);
    if (player_.rest_at(place)) return;
    alignas(64) float silence[CHUNK] = {}, unheard[CHUNK];
    for (int done = 0; done < settle_samples; done += CHUNK) process(silence, unheard, CHUNK);
  }
  template <int COUNT>
  void settle(const float (&controls)[COUNT]) noexcept {
    static_assert(COUNT == num_controls, "as many positions as the net has controls");
    settle(Positions(controls));
  }

  // Plays a block of any length, 0 too; full scale is +-1. `out` may be `in`, but not overlap it otherwise.
  //
  // `controls` are where the knobs shall go, num_controls of them; null: where they went before. They glide there over
  // facts::smoothing_samples. Positions outside the grid are taken as its nearer end, NaN as no news; a control that is no axis
  // moves nothing. A sample that is NaN or infinite is heard as silence, one over 1e6 as 1e6.
  //
  // False: a net left all bounds. All is at rest again, with the controls where they went; what it had no number for is silence.
  bool process(const float* in, float* out, int samples, Positions controls = nullptr) noexcept {
    const NoDenormals guard;
    bool well = true;
    if (controls.at) stretches_.aim(place_of(controls.at));
    alignas(64) float signal[CHUNK], heard[CHUNK];
    for (int start = 0; start < samples;) {
      const Part part = stretches_.next(samples - start < CHUNK ? samples - start : CHUNK);
      for (int n = 0; n < part.samples; ++n) signal[n] = sane(in[start + n]);
      for (int n = part.samples; n < CHUNK; ++n) signal[n] = 0.0f;
      player_.play(signal, heard, part);
      if (!finite(heard, part.samples)) {
        well = false;
        for (int n = 0; n < part.samples; ++n) heard[n] = finite(heard + n, 1) ? heard[n] : 0.0f;
        const Place place = stretches_.target();
        stretches_.stand(place);
        player_.rest_at(place);
      }
      std::memcpy(out + start, heard, part.samples * sizeof(float));
      start += part.samples;
    }
    return well;
  }
  template <int COUNT>
  bool process(const float* in, float* out, int samples, const float (&controls)[COUNT]) noexcept {
    static_assert(COUNT == num_controls, "as many positions as the net has controls");
    return process(in, out, samples, Positions(controls));
  }

 private:
  Place place_of(const float* positions) noexcept {
    Place place;
    for (int k = 0; k < AXES; ++k) {
      told_[k] = sane_position(positions[facts::axis_controls[k]], told_[k]);
      place.at[k] = clamp_to_axis(k, told_[k]);
    }
    return place;
  }

  Player player_;
  Stretches stretches_;
  float told_[AXES];
};
