// M[n] = M[n-1] + s net(u[n], M[n-1]), held within +-limit: a small net that hears its own last output, see `play`.
//
// W: `width` units in each of `layers`; `inputs` that are no controls (4; 5 with the sign of the slope; 6 with Langevin's
// function of the field), `mirrored`, `controls` that are inputs, and alpha, gain, half, increment, scale, still, bend.
// Weights in rows of UNITS: columns of what the first layer hears, of M, of the controls; its bias; for every further layer
// its columns and its bias; the head; the head's bias; the limit.

template <class W>
class Transition : public W {
 public:
  static constexpr int UNITS = (W::width + LANES - 1) / LANES * LANES, HEARD = W::inputs + 1 + W::controls;
  static constexpr int LAYER = (W::width + 1) * UNITS, HEAD = (HEARD + 1) * UNITS + (W::layers - 1) * LAYER;
  static constexpr int WEIGHTS = HEAD + 3 * UNITS;

  // Samples from `begin` to `end` of `signal`, whose rows are CHUNK apart: the field, then the controls.
  TAPEZOO_APART void play(const float* weights, const float* signal, float* out, int begin, int end) noexcept {
    const float limit = weights[HEAD + 2 * UNITS];
    for (int n = begin; n < end; ++n) {
      const float field = signal[n];
      float slope = W::gain * (field - field_) - W::alpha * slope_;
      slope = slope > 1e-30f || slope < -1e-30f ? slope : 0.0f;
      const float way = slope + slope_, turn = !W::mirrored || way >= 0.0f ? 1.0f : -1.0f;
      float heard[HEARD] = {turn * field, turn * W::scale * slope, turn * field_, turn * W::scale * slope_};
      if constexpr (W::inputs > 4) heard[4] = slope / root(slope * slope + W::still * W::still);
      if constexpr (W::inputs > 5) heard[5] = langevin(W::bend * field);
      heard[W::inputs] = turn * output_;
      for (int k = 0; k < W::controls; ++k) heard[W::inputs + 1 + k] = signal[(1 + k) * CHUNK + n];
      const float net = step(weights, heard);
      output_ += (W::increment != 0.0f ? W::increment : W::half * way) * net;
      output_ = output_ > limit ? limit : output_ < -limit ? -limit : output_;
      out[n] = output_;
      field_ = field, slope_ = slope;
    }
  }

  template <class S>
  void restore_field(S& source) noexcept {
    field_ = static_cast<float>(source.next());
  }
  template <class S>
  void restore_slope(S& source) noexcept {
    slope_ = static_cast<float>(source.next());
  }
  template <class S>
  void restore_output(S& source) noexcept {
    output_ = static_cast<float>(source.next());
  }
  void save_field(Sink& sink) const noexcept { sink.next(field_); }
  void save_slope(Sink& sink) const noexcept { sink.next(slope_); }
  void save_output(Sink& sink) const noexcept { sink.next(output_); }

 private:
  static float root(float x) noexcept { return std::sqrt(x); }

  static float langevin(float x) noexcept {
    const float u = x * x;
    if (u < 0.25f)
      return x * (1.0f / 3 + u * (-1.0f / 45 + u * (2.0f / 945 + u * (-1.0f / 4725 + u * (2.0f / 93555)))));
    return 1.0f / short_tanh(fill(x))[0] - 1.0f / x;
  }

  // units = bias + sum_k columns[k] x[k], `columns` UNITS apart and then the bias.
  template <int COUNT>
  TAPEZOO_INLINE static void layer(const float* columns, const float* x, float* units) noexcept {
    for (int unit = 0; unit < UNITS; unit += LANES) {
      vec even = load(columns + COUNT * UNITS + unit), odd = fill(0.0f);
      for (int k = 0; k + 1 < COUNT; k += 2) {
        even = fma(fill(x[k]), load(columns + k * UNITS + unit), even);
        odd = fma(fill(x[k + 1]), load(columns + (k + 1) * UNITS + unit), odd);
      }
      if (COUNT % 2) even = fma(fill(x[COUNT - 1]), load(columns + (COUNT - 1) * UNITS + unit), even);
      store(units + unit, short_tanh(even + odd));
    }
  }

  TAPEZOO_INLINE static float step(const float* weights, const float* heard) noexcept {
    alignas(64) float units[2][UNITS];
    layer<HEARD>(weights, heard, units[0]);
    for (int number = 1; number < W::layers; ++number)
      layer<W::width>(weights + (HEARD + 1) * UNITS + (number - 1) * LAYER, units[(number + 1) % 2], units[number % 2]);
    const float* last = units[(W::layers + 1) % 2];
    vec sum = load(weights + HEAD) * load(last);
    for (int unit = LANES; unit < UNITS; unit += LANES) sum = fma(load(weights + HEAD + unit), load(last + unit), sum);
    return total(sum) + weights[HEAD + UNITS];
  }

  float field_ = 0.0f, slope_ = 0.0f, output_ = 0.0f;
};
