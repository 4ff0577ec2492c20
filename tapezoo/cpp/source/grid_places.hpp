// Places in a grid: positions 0..1 on its axes, the cell around each, and how much of its corners each is.
//
// facts::axes; facts::positions, those of the points, axis after axis, facts::counts of them on each; facts::points in C order.

constexpr int AXES = facts::axes, CORNERS = 1 << AXES;

struct Place {
  double at[AXES];
  bool operator==(const Place& other) const noexcept {
    for (int k = 0; k < AXES; ++k)
      if (at[k] != other.at[k]) return false;
    return true;
  }
  bool operator!=(const Place& other) const noexcept { return !(*this == other); }
};

inline Place default_place() noexcept {
  Place place;
  for (int k = 0; k < AXES; ++k) place.at[k] = facts::defaults[k];
  return place;
}

// The way from one place to another: `share` 0..1 of it.
inline Place between(const Place& from, const Place& to, double share) noexcept {
  Place made;
  for (int k = 0; k < AXES; ++k) made.at[k] = from.at[k] * (1.0 - share) + to.at[k] * share;
  return made;
}

// The positions of an axis.
inline const double* positions_of(int axis) noexcept {
  const double* positions = facts::positions;
  for (int k = 0; k < axis; ++k) positions += facts::counts[k];
  return positions;
}

// What the grid can play: outside an axis its nearest end; right beside a point that point, since single precision is 1e-8 off.
inline double clamp_to_axis(int axis, double position) noexcept {
  const double* positions = positions_of(axis);
  const int last = facts::counts[axis] - 1;
  for (int i = 0; i <= last; ++i)
    if (positions[i] - position < 1e-6 && position - positions[i] < 1e-6) return positions[i];
  return position < positions[0] ? positions[0] : position > positions[last] ? positions[last] : position;
}

// The corners around a place that have a share in it, in the order of their points; shares add up to 1.
class Corners {
 public:
  int count = 0, points[CORNERS];
  double shares[CORNERS];

  void find(const Place& place) noexcept {
    const double* positions = facts::positions;
    double fractions[AXES];
    int first = 0;
    for (int k = 0; k < AXES; positions += facts::counts[k], ++k) {
      int& cell = cells_[k];  // most often that of the last place
      while (cell + 2 < facts::counts[k] && place.at[k] >= positions[cell + 1]) ++cell;
      while (cell > 0 && place.at[k] < positions[cell]) --cell;
      fractions[k] = (place.at[k] - positions[cell]) / (positions[cell + 1] - positions[cell]);
      first = first * facts::counts[k] + cell;
    }
    count = 0;
    for (int corner = 0; corner < CORNERS; ++corner) {
      double share = 1.0;
      int point = first;
      for (int k = AXES - 1, step = 1; k >= 0; step *= facts::counts[k], --k) {
        const bool far = corner >> (AXES - 1 - k) & 1;
        share *= far ? fractions[k] : 1.0 - fractions[k];
        point += far ? step : 0;
      }
      if (share > 0.0) points[count] = point, shares[count] = share, ++count;
    }
  }

 private:
  int cells_[AXES] = {};
};

// A source of the state at rest between points: the mix of their rests.
class RestBetween {
 public:
  explicit RestBetween(const Corners& corners) noexcept : count_(corners.count) {
    for (int i = 0; i < count_; ++i) rests_[i] = Runs(facts::rests + facts::rest_begins[corners.points[i]]);
    for (int i = 0; i < count_; ++i) shares_[i] = static_cast<float>(corners.shares[i]);
  }
  double next() noexcept {
    float sum = 0.0f;
    for (int i = 0; i < count_; ++i) sum += shares_[i] * static_cast<float>(rests_[i].next());
    return sum;
  }

 private:
  int count_;
  Runs rests_[CORNERS];
  float shares_[CORNERS];
};
