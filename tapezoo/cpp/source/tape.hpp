// A tape behind the net: a gain that wavers, a delay that wanders, then noise; all from loops, which the host keeps.

// `loops.bin` in memory that outlives every model that reads it: mapped, read, or built into the program; at any address.
// W::id, W::points spline coefficients of wow and flutter and the three around their ends, W::noise samples of noise and
// W::modulation of modulation noise; little endian.
template <class W>
class TapeLoops {
  static constexpr std::uint64_t CURVES = 8, NOISE = CURVES + (W::points ? 16 * (std::uint64_t{W::points} + 3) : 0);
  static constexpr std::uint64_t MODULATION = NOISE + 4 * std::uint64_t{W::noise};

 public:
  static constexpr std::uint64_t bytes = MODULATION + 4 * std::uint64_t{W::modulation};

  TapeLoops(const void* data, std::size_t size) noexcept {
    std::uint64_t id = 0;
    if (data && size == bytes) std::memcpy(&id, data, sizeof id);
    data_ = id == W::id ? static_cast<const char*>(data) : nullptr;
  }

  // Whether they are this model's; with others it plays nothing.
  bool fit() const noexcept { return data_ != nullptr; }

  // Wow and flutter.
  void coefficients(std::int64_t point, double* to) const noexcept {
    std::memcpy(to, data_ + CURVES + 16 * point, 2 * sizeof(double));
  }
  float noise(std::int64_t at) const noexcept { return sample(NOISE, at); }
  float modulation(std::int64_t at) const noexcept { return sample(MODULATION, at); }

 private:
  float sample(std::uint64_t from, std::int64_t at) const noexcept {
    float value;
    std::memcpy(&value, data_ + from + 4 * at, sizeof value);
    return value;
  }

  const char* data_ = nullptr;
};

// Samples into a loop, from a number of a state.
inline std::int64_t place_in(double number, std::int64_t length) noexcept {
  const double place = std::fmod(std::trunc(number), static_cast<double>(length));
  return static_cast<std::int64_t>(place < 0.0 ? place + static_cast<double>(length) : place);
}

// The gain of a noise, exp(W::gain_first + W::gain_slope position) and 0 at 0, kept: an exponential takes longer than all
// the rest of a sample.
template <class W>
class NoiseGain {
 public:
  float at(float position) noexcept {
    if (position != position_) {
      position_ = position;
      gain_ = position > 0.0f ? static_cast<float>(std::exp(W::gain_first + W::gain_slope * position)) : 0.0f;
    }
    return gain_;
  }

 private:
  float position_ = 0.0f, gain_ = 0.0f;
};

// Beside the sizes above: the loops of wow and flutter last W::hop samples per point, reach W::reach samples either way
// and begin at W::begin; W::sinc has W::taps taps for W::phases + 2 fractions, the last one twice; channels begin
// W::noise_apart and W::modulation_apart samples apart in the noises.
template <class W>
class Tape : public W {
 public:
  using Loops = TapeLoops<W>;
  struct Places {
    std::int64_t transport, noise, modulation;
  };

  void use(const Loops& loops) noexcept { loops_ = loops; }

  static Places places_of(int channel) noexcept {
    Places places = {W::begin, 0, 0};
    if constexpr (W::noise > 0) places.noise = (std::int64_t{channel} + 1) * W::noise_apart % W::noise;
    if constexpr (W::modulation > 0) places.modulation = (std::int64_t{channel} + 1) * W::modulation_apart % W::modulation;
    return places;
  }
  Places places() const noexcept { return places_; }
  void go_to(Places places) noexcept {
    if constexpr (W::points > 0) places_.transport = place_in(static_cast<double>(places.transport), CIRCLE);
    if constexpr (W::noise > 0) places_.noise = place_in(static_cast<double>(places.noise), W::noise);
    if constexpr (W::modulation > 0) places_.modulation = place_in(static_cast<double>(places.modulation), W::modulation);
  }

  // A row of the net's output, in place; `knobs`: of the tape.
  template <class G>
  void play(float* out, G& knobs, int samples) noexcept {
    alignas(64) float path[KNOBS * CHUNK];
    const bool still = !knobs.moves();
    knobs.follow(path, CHUNK, still ? CHUNK : samples);
    if (!loops_.fit()) std::memset(out, 0xff, samples * sizeof(float));  // no numbers, which the model answers for
    if (!finite(out, samples)) return;
    if constexpr (W::modulation > 0)
      along<W::modulation>(
          depth_, places_.modulation, path + WANDERS * CHUNK, still, samples,
          [this](std::int64_t at) { return loops_.modulation(at); }, [out](int n, float uneven) { out[n] *= 1.0f + uneven; });
    if constexpr (W::points > 0) {
      line_.make_room();
      std::memcpy(line_.now(), out, samples * sizeof(float));
      alignas(64) double ahead[CHUNK] = {};
      wander(path, ahead, samples);
      interpolate(ahead, out, samples);
      line_.advance(samples);
    }
    if constexpr (W::noise > 0)
      along<W::noise>(
          hiss_, places_.noise, path + (KNOBS - 1) * CHUNK, still, samples,
          [this](std::int64_t at) { return loops_.noise(at); }, [out](int n, float noise) { out[n] += noise; });
  }

  template <class S>
  void restore(S& source) noexcept {
    line_.restore_row(source, 0);
  }
  void save(Sink& sink) const noexcept { line_.save_row(sink, 0); }
  template <class S>
  void restore_transport(S& source) noexcept {
    places_.transport = place_in(source.next(), CIRCLE);
  }
  void save_transport(Sink& sink) const noexcept { sink.next(static_cast<double>(places_.transport)); }
  template <class S>
  void restore_noise(S& source) noexcept {
    places_.noise = place_in(std::fabs(source.next()), W::noise);  // negative: a first channel that has not begun
  }
  void save_noise(Sink& sink) const noexcept { sink.next(static_cast<double>(places_.noise)); }
  template <class S>
  void restore_modulation(S& source) noexcept {
    places_.modulation = place_in(std::fabs(source.next()), W::modulation);
  }
  void save_modulation(Sink& sink) const noexcept { sink.next(static_cast<double>(places_.modulation)); }

 private:
  static constexpr int WANDERS = W::points ? 2 : 0, KNOBS = WANDERS + (W::modulation ? 1 : 0) + (W::noise ? 1 : 0);
  static constexpr std::int64_t CIRCLE = std::int64_t{W::points} * W::hop;

  // Of every sample how far it is read ahead of the longest delay. Between two points a spline is one polynomial.
  void wander(const float* path, double* ahead, int samples) noexcept {
    for (int begin = 0; begin < samples;) {
      const std::int64_t point = places_.transport / W::hop;
      const int into = static_cast<int>(places_.transport % W::hop);
      const int left = W::hop - into, end = samples - begin < left ? samples : begin + left;
      double c[4][2], wow[4], flutter[4];
      for (int k = 0; k < 4; ++k) loops_.coefficients(point + k, c[k]);
      polynomial(c[0][0], c[1][0], c[2][0], c[3][0], wow);
      polynomial(c[0][1], c[1][1], c[2][1], c[3][1], flutter);
      for (int n = begin; n < end; ++n) {
        const double t = (into + (n - begin)) * (1.0 / W::hop);
        const double both = (((wow[3] * t + wow[2]) * t + wow[1]) * t + wow[0]) * path[n] +
                            (((flutter[3] * t + flutter[2]) * t + flutter[1]) * t + flutter[0]) * path[CHUNK + n];
        const double far = W::reach - both;
        ahead[n] = far < 0.0 ? 0.0 : far > 2.0 * W::reach ? 2.0 * W::reach : far;  // positions are 0 to 1, to rounding
      }
      places_.transport += end - begin;
      if (places_.transport == CIRCLE) places_.transport = 0;
      begin = end;
    }
  }

  static void polynomial(double a, double b, double c, double d, double* to) noexcept {
    to[0] = (a + 4.0 * b + c) / 6.0;
    to[1] = (c - a) / 2.0;
    to[2] = (a - 2.0 * b + c) / 2.0;
    to[3] = (d - a + 3.0 * (b - c)) / 6.0;
  }

  void interpolate(const double* ahead, float* out, int samples) noexcept {
    alignas(64) int whole[CHUNK], row[CHUNK];
    alignas(64) float blend[CHUNK];
    for (int n = 0; n < CHUNK; ++n) {
      whole[n] = static_cast<int>(ahead[n]);
      const double phase = (ahead[n] - whole[n]) * W::phases;
      row[n] = static_cast<int>(phase);
      blend[n] = static_cast<float>(phase - row[n]);
    }
    const float* past = line_.past();
    for (int n = 0; n < samples; ++n) {
      const float *low = W::sinc + row[n] * W::taps, *heard = past + whole[n] + n;
      const vec share = fill(blend[n]);
      vec sum = fill(0.0f);
      TAPEZOO_UNROLL
      for (int tap = 0; tap < W::taps; tap += LANES) {
        const vec near = load(low + tap);
        sum = fma(fma(share, load(low + W::taps + tap) - near, near), load(heard + tap), sum);
      }
      out[n] = total(sum);
    }
  }

  // Hands `use` the samples of a chunk and what of a noise is heard at them; `path`: of its knob.
  template <int LENGTH, class G, class L, class U>
  static void along(G& gain, std::int64_t& place, const float* path, bool still, int samples, L loop, U use) noexcept {
    for (int begin = 0; begin < samples;) {
      const std::int64_t left = LENGTH - place;
      const int end = samples - begin < left ? samples : begin + static_cast<int>(left);
      if (still) {
        const float held = gain.at(path[0]);
        for (int n = begin; n < end; ++n) use(n, held * loop(place + (n - begin)));
      } else {
        for (int n = begin; n < end; ++n) use(n, gain.at(path[n]) * loop(place + (n - begin)));
      }
      place += end - begin;
      if (place == LENGTH) place = 0;
      begin = end;
    }
  }

  Line<1, W::past> line_;
  Loops loops_ = Loops(nullptr, 0);
  Places places_ = {0, 0, 0};
  NoiseGain<W> depth_, hiss_;
};

// The knobs of a net with K, and of the tape behind it, which glide by themselves: a net counts steps from its own news.
template <class F, int K, class G>
class WithTape : public F {
 public:
  G tape;

  void aim(const float* positions) noexcept {
    F::aim(positions);
    tape.aim(positions ? positions + K : positions);
  }
  template <class S>
  void restore_tape(S& source) noexcept {
    tape.restore(source);
  }
  void save_tape(Sink& sink) const noexcept { tape.save(sink); }
};
