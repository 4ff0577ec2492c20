// A transition whose weights are mixed from W::rows of a table, wherever a control has moved.
//
// W::knobs, W::axes of each (0: none) and W::added, how many knobs are none, whose bias stands behind a row; or W::polynomial
// and W::exponents, knob by knob of every row. W::scales of M: for every row a number, and one for each knob that is added.

template <class W>
class MixedTransition : public Transition<W> {
 public:
  typedef Transition<W> Base;
  static constexpr int ROWS = Base::WEIGHTS / Base::UNITS, ROW = (ROWS + W::added) * W::width;

  void play(const float* signal, float* out, int samples) noexcept {
    for (int begin = 0, end; begin < samples; begin = end) {
      bool same = known_;
      end = samples;
      for (int k = 0; k < W::knobs; ++k) {
        const float* path = signal + (1 + k) * CHUNK;
        same = same && path[begin] == held_[k];
        held_[k] = path[begin];
        int at = begin + 1;
        while (at < end && path[at] == held_[k]) ++at;
        end = at;
      }
      if (!same) mix();
      known_ = true;
      Base::play(weights_, signal, out, begin, end);
    }
  }
  void forget() noexcept { known_ = false; }

 private:
  void mix() noexcept {
    for (float& weight : weights_) weight = 0.0f;
    scale_ = 0.0f;
    if constexpr (W::polynomial)
      for (int row = 0; row < W::rows; ++row) {
        float share = 1.0f;
        for (int k = 0; k < W::knobs; ++k)
          for (int power = 0; power < W::exponents[row * W::knobs + k]; ++power) share *= 2.0f * held_[k] - 1.0f;
        add(row, share);
      }
    else
      corner(0, 0, 1.0f);
    for (int unit = 0; unit < Base::UNITS; ++unit) {
      weights_[W::inputs * Base::UNITS + unit] /= scale_;
      for (int line = 0; line < 3; ++line) weights_[Base::HEAD + line * Base::UNITS + unit] *= scale_;
    }
  }

  // The points around the controls, one axis after the other.
  void corner(int axis, int row, float share) noexcept {
    if (share == 0.0f) return;
    while (axis < W::knobs && W::axes[axis] == 0) ++axis;
    if (axis >= W::knobs) return add(row, share);
    const int last = W::axes[axis] - 1;
    const float place = held_[axis] * last;
    // any number leads into the table, and none at all to its first point
    const int low = place >= last ? last - 1 : place > 0.0f ? static_cast<int>(place) : 0;
    const float near = place - low;
    corner(axis + 1, row * W::axes[axis] + low, share * (1.0f - near));
    corner(axis + 1, row * W::axes[axis] + low + 1, share * near);
  }

  void add(int row, float share) noexcept {
    const float* from = W::table + row * ROW;
    for (int line = 0; line < ROWS; ++line)
      for (int unit = 0; unit < W::width; ++unit) weights_[line * Base::UNITS + unit] += share * from[line * W::width + unit];
    const float* scales = W::scales + row * (1 + W::added);
    scale_ += share * scales[0];
    int number = ROWS;
    for (int k = 0; k < W::knobs && W::added; ++k)
      if (W::axes[k] == 0) {
        for (int unit = 0; unit < W::width; ++unit)
          weights_[Base::HEARD * Base::UNITS + unit] += share * held_[k] * from[number * W::width + unit];
        scale_ += share * held_[k] * scales[1 + number - ROWS];
        ++number;
      }
  }

  alignas(64) float weights_[Base::WEIGHTS];
  float scale_ = 1.0f, held_[W::knobs + 1] = {};
  bool known_ = false;
};
