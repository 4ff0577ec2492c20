// A grid played by mixed outputs: the nets at the corners of the cell run side by side and are mixed sample by sample.
//
// A point comes in at a share of 0: with the state of the nearest one that runs, or, where points were trained apart, by playing
// the last facts::preroll_samples unheard. Then it also fades in over facts::crossfade_samples, in which the one that it came in
// beside is heard in its place and runs on.

class Player {
 public:
  // At rest at the defaults.
  void rest() noexcept { rest_at(default_place()); }

  // At rest around a place, every corner by itself; true: it stands still.
  bool rest_at(const Place& place) noexcept {
    corners_.find(place);
    count_ = 0;
    for (int i = 0; i < VOICES; ++i) order_[i] = i;
    for (int i = 0; i < corners_.count; ++i) to_rest(enter(corners_.points[i], NONE));
    wanted_count_ = 0;
    for (int i = 0; i < corners_.count; ++i) want(corners_.points[i]);
    begin_.at[0] = -1.0;  // nowhere
    for (float& sample : heard_) sample = 0.0f;
    heard_at_ = 0;
    return true;
  }

  // The samples of `part`; rows of CHUNK.
  void play(const float* signal, float* out, const Part& part) noexcept {
    if (part.done == 0) begin(part);
    if (count_ == 1) {
      run(voice(0), signal, out, part.samples);
    } else {
      find_gains(part);
      alignas(64) float own[CHUNK];
      for (int n = 0; n < CHUNK; ++n) out[n] = 0.0f;
      for (int i = 0; i < count_; ++i) {
        run(voice(i), signal, own, part.samples);
        for (int n = 0; n < part.samples; ++n) out[n] += voice(i).gains[n] * own[n];
      }
    }
    if constexpr (PREROLL > 0)
      for (int n = 0; n < part.samples; ++n) {
        heard_[heard_at_] = signal[n];
        heard_at_ = heard_at_ + 1 == PREROLL ? 0 : heard_at_ + 1;
      }
  }

 private:
  static constexpr int VOICES = facts::voices, NONE = -1, PREROLL = facts::preroll_samples, FADE = facts::crossfade_samples;

  struct Voice {
    int point, donor;  // the point that is heard in its place while it is new
    int age;           // samples since it came in, up to FADE
    bool kept;
    float gains[CHUNK];
    State net;
  };

  // In the order in which they came in: a donor stands before those that it is heard for.
  Voice& voice(int i) noexcept { return voices_[order_[i]]; }

  Voice* running(int point) noexcept {
    for (int i = 0; i < count_; ++i)
      if (voice(i).point == point) return &voice(i);
    return nullptr;
  }

  // The nearest of the first `count` voices, of those as near the first.
  Voice& nearest(int point, int count) noexcept {
    int found = 0;
    double least = distance(point, voice(0).point);
    for (int i = 1; i < count; ++i) {
      const double far = distance(point, voice(i).point);
      if (far < least) least = far, found = i;
    }
    return voice(found);
  }

  static double distance(int one, int other) noexcept {
    double sum = 0.0;
    for (int k = AXES - 1; k >= 0; --k) {
      const double* positions = positions_of(k);
      sum += std::fabs(positions[one % facts::counts[k]] - positions[other % facts::counts[k]]);
      one /= facts::counts[k], other /= facts::counts[k];
    }
    return sum;
  }

  void run(Voice& of, const float* signal, float* out, int samples) noexcept {
    alignas(64) float heard[CHUNK];  // nets with a filter before them write there
    std::memcpy(heard, signal, sizeof heard);
    of.net.play(heard, true, out, samples);
    of.age = of.age < FADE - samples ? of.age + samples : FADE;
  }

  Voice& enter(int point, int donor) noexcept {
    Voice& made = voice(count_++);
    made.point = point, made.donor = donor, made.age = 0;
    made.net.use(facts::tables[point]);
    return made;
  }

  static void to_rest(Voice& of) noexcept {
    Runs rest(facts::rests + facts::rest_begins[of.point]);
    of.net.restore(rest);
  }

  void preroll(Voice& of) noexcept {
    to_rest(of);
    if constexpr (facts::state_values > 0 && PREROLL > 0) {
      alignas(64) float signal[CHUNK], unheard[CHUNK];
      for (int done = 0, at = heard_at_; done < PREROLL; done += CHUNK) {
        const int length = PREROLL - done < CHUNK ? PREROLL - done : CHUNK;
        for (int n = 0; n < CHUNK; ++n) signal[n] = 0.0f;
        for (int n = 0; n < length; ++n) signal[n] = heard_[at], at = at + 1 == PREROLL ? 0 : at + 1;
        of.net.play(signal, true, unheard, length);
      }
    }
  }

  void begin(const Part& part) noexcept {
    leave();  // before anybody comes in: who is there shall not depend on where blocks end
    if (part.begin == begin_ && part.end == end_) return;
    begin_ = part.begin, end_ = part.end;
    wanted_count_ = 0;
    for (int n = 0; n < (part.moves ? STRETCH : 1); ++n) {
      find_corners(part, n);
      for (int i = 0; i < corners_.count; ++i) want(corners_.points[i]);
    }
    const int before = count_;
    for (int i = 0; i < wanted_count_; ++i) {
      if (running(wanted_[i]) || count_ == VOICES) continue;
      Voice& donor = nearest(wanted_[i], before);
      Voice& made = enter(wanted_[i], donor.point);
      if constexpr (facts::independent) {
        preroll(made);
      } else {
        made.net = donor.net;
        made.net.use(facts::tables[made.point]);
      }
    }
    leave();
  }

  // Into the list of points with a share in the stretch, in their order.
  void want(int point) noexcept {
    int at = wanted_count_;
    while (at > 0 && wanted_[at - 1] >= point) --at;
    if ((at < wanted_count_ && wanted_[at] == point) || wanted_count_ == VOICES) return;
    for (int i = wanted_count_; i > at; --i) wanted_[i] = wanted_[i - 1];
    wanted_[at] = point, ++wanted_count_;
  }

  // Stops those that have no share in the stretch and are heard for nobody new.
  void leave() noexcept {
    for (int i = 0; i < count_; ++i) voice(i).kept = false;
    for (int i = 0; i < wanted_count_; ++i)
      if (Voice* found = running(wanted_[i])) found->kept = true;
    for (int i = count_ - 1; i >= 0; --i)
      if (voice(i).kept && voice(i).donor != NONE && voice(i).age < FADE)
        if (Voice* donor = running(voice(i).donor)) donor->kept = true;
    int kept = 0, gone[VOICES], gone_count = 0;
    for (int i = 0; i < count_; ++i)
      if (voice(i).kept)
        order_[kept++] = order_[i];
      else
        gone[gone_count++] = order_[i];
    for (int i = 0; i < gone_count; ++i) order_[kept + i] = gone[i];
    count_ = kept;
  }

  void find_corners(const Part& part, int n) noexcept {
    corners_.find(part.moves ? between(part.begin, part.end, static_cast<double>(n + 1) / STRETCH) : part.end);
  }

  void find_gains(const Part& part) noexcept {
    for (int i = 0; i < count_; ++i)
      for (float& gain : voice(i).gains) gain = 0.0f;
    for (int n = 0; n < part.samples; ++n) {
      if (n == 0 || part.moves) find_corners(part, part.done + n);
      for (int i = 0; i < corners_.count; ++i) {
        Voice* of = running(corners_.points[i]);
        if (!of) of = &nearest(corners_.points[i], count_);  // there was no room for it
        of->gains[n] += static_cast<float>(corners_.shares[i]);
      }
    }
    if constexpr (FADE > 0) fade_in(part.samples);
  }

  // What the gain of a new one lacks is its donor's.
  void fade_in(int samples) noexcept {
    for (int i = count_ - 1; i >= 0; --i) {
      Voice& of = voice(i);
      Voice* donor = of.donor == NONE || of.age >= FADE ? nullptr : running(of.donor);
      for (int n = 0; n < samples && donor; ++n) {
        const float fade = of.age + n + 1 < FADE ? static_cast<float>(of.age + n + 1) / static_cast<float>(FADE) : 1.0f;
        donor->gains[n] += of.gains[n] * (1.0f - fade);
        of.gains[n] *= fade;
      }
    }
  }

  Voice voices_[VOICES];
  int order_[VOICES], count_ = 0;  // the first `count_` run, the others are free
  int wanted_[VOICES], wanted_count_ = 0;
  Corners corners_;
  Place begin_, end_;  // of the stretch that the wanted ones are of
  float heard_[PREROLL > 0 ? PREROLL : 1];
  int heard_at_ = 0;
};
