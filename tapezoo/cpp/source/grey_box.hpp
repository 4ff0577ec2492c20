// u = input(G x), v = memory(u), z = f(v + b) - f(b), y = H output(z). W::Levels are log G, b and H; W::Input, W::Memory,
// W::Bend and W::Output what they say.

template <class W>
class GreyBox {
 public:
  // Knobs are rows of CHUNK; `newest` is where they go.
  void play(const float* signal, const float* knobs, const float* newest, bool still, float* out, int samples) noexcept {
    double row[CHUNK], after[CHUNK];
    alignas(64) float bent[CHUNK] = {}, bias[CHUNK] = {};
    double levels[3];
    for (int n = 0; n < samples; ++n) {
      if (n == 0 || !still) numbers_at<typename W::Levels>(knobs + n, CHUNK, levels);
      row[n] = std::exp(levels[0]) * signal[n];
      bias[n] = static_cast<float>(levels[1]), after[n] = levels[2];
    }
    input.play(knobs, still, row, samples);
    memory.play(knobs, newest, still, row, samples);
    for (int n = 0; n < samples; ++n) bent[n] = static_cast<float>(row[n]) + bias[n];
    bend_along(typename W::Bend(), bent);
    bend_along(typename W::Bend(), bias);
    for (int n = 0; n < samples; ++n) row[n] = bent[n] - bias[n];
    output.play(knobs, still, row, samples);
    for (int n = 0; n < samples; ++n) out[n] = static_cast<float>(after[n] * row[n]);
  }
  void forget() noexcept { input.forget(), memory.forget(), output.forget(); }

  typename W::Input input;
  typename W::Memory memory;
  typename W::Output output;
};
