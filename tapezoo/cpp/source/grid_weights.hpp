// A grid played by mixed weights: one net, whose tables are the mix of those at the corners of its cell.
//
// While the controls move it runs twice, with the tables at the begin and at the end of a stretch, and its output goes from the
// one to the other in a straight line; it goes on from the second one.

class Player {
 public:
  Player() noexcept = default;
  Player(const Player& other) noexcept { *this = other; }
  Player& operator=(const Player& other) noexcept {
    for (int i = 0; i < 2; ++i) nets_[i] = other.nets_[i], places_[i] = other.places_[i];
    std::memcpy(tables_, other.tables_, sizeof tables_);
    corners_ = other.corners_, now_ = other.now_, share_ = other.share_, runs_twice_ = other.runs_twice_;
    for (int i = 0; i < 2; ++i) nets_[i].use(tables_[i]);  // not the other's
    return *this;
  }

  // At rest at the defaults.
  void rest() noexcept {
    begin_at(default_place());
    Runs rest(facts::rest);
    nets_[now_].restore(rest);
  }

  // At the mix of the rests around a place; true: it is that of a point, else silence has to be played until it stands still.
  bool rest_at(const Place& place) noexcept {
    begin_at(place);
    corners_.find(place);
    RestBetween rest(corners_);
    nets_[now_].restore(rest);
    return corners_.count == 1;
  }

  // The samples of `part`; rows of CHUNK.
  void play(const float* signal, float* out, const Part& part) noexcept {
    if (part.done == 0) begin(part);
    run(now_, signal, out, part.samples);
    if (!part.moves) return;
    alignas(64) float then[CHUNK];
    run(1 - now_, signal, then, part.samples);
    for (int n = 0; n < part.samples; ++n) out[n] += (then[n] - out[n]) * static_cast<float>(part.share(n));
    share_ = part.share(part.samples - 1);
  }

 private:
  void run(int net, const float* signal, float* out, int samples) noexcept {
    alignas(64) float heard[CHUNK];  // nets with a filter before them write there
    std::memcpy(heard, signal, sizeof heard);
    nets_[net].play(heard, true, out, samples);
  }

  void begin_at(const Place& place) noexcept {
    now_ = 0, runs_twice_ = false;
    places_[1].at[0] = -1.0;  // nowhere: its tables are not mixed yet
    mix(now_, place);
  }

  void begin(const Part& part) noexcept {
    if (runs_twice_) {
      if (share_ == 1.0)
        now_ = 1 - now_;
      else
        join();  // a new target came in mid-stretch
    }
    runs_twice_ = part.moves;
    if (!mixed_at(now_, part.begin)) mix(now_, part.begin);
    if (!part.moves) return;
    nets_[1 - now_] = nets_[now_];
    if (mixed_at(1 - now_, part.end))
      nets_[1 - now_].use(tables_[1 - now_]);
    else
      mix(1 - now_, part.end);
  }

  bool mixed_at(int net, const Place& place) const noexcept { return places_[net] == place; }

  void mix(int net, const Place& place) noexcept {
    corners_.find(place);
    float* to = tables_[net];
    for (int i = 0; i < NUMBERS; ++i) to[i] = 0.0f;
    for (int corner = 0; corner < corners_.count; ++corner) {
      const vec share = fill(static_cast<float>(corners_.shares[corner]));
      const float* from = facts::tables[corners_.points[corner]];
      for (int i = 0; i < NUMBERS; i += LANES) store(to + i, fma(share, load(from + i), load(to + i)));
    }
    places_[net] = place;
    nets_[net].use(to);
  }

  // The state that is heard: a mix of both.
  void join() noexcept {
    Sink now(states_[0]), then(states_[1]);
    nets_[now_].save(now), nets_[1 - now_].save(then);
    const float share = static_cast<float>(share_), kept = static_cast<float>(1.0 - share_);
    for (int i = 0; i < facts::state_values; ++i)
      states_[0][i] = kept * static_cast<float>(states_[0][i]) + share * static_cast<float>(states_[1][i]);
    Source joined(states_[0]);
    nets_[now_].restore(joined);
  }

  static constexpr int NUMBERS = facts::numbers;
  alignas(64) float tables_[2][NUMBERS];
  State nets_[2];
  Place places_[2];  // at which these tables are mixed
  Corners corners_;
  double states_[2][facts::state_values + 1];  // room of `join`
  double share_ = 0.0;                          // of the second one in what was heard last
  int now_ = 0;
  bool runs_twice_ = false;
};
