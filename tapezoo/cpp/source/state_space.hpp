// Diagonal state spaces, one for each of W::channels, of W::modes complex numbers: s = a s + b u, y = Re(c s) + D u.
//
// LANES samples at a time: what a mode held before them is heard in all of them (`leave`), what comes in is heard in those
// after it (`direct`) and added to the mode at their end (`enter`). The mode itself turns once, in double precision: memories
// of thousands of samples lose too much in float32. What is left over goes sample by sample.

struct Complex {
  double re, im;
};
constexpr Complex operator*(Complex x, Complex y) { return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }

// Of every channel; modes in groups of HALF, real parts before imaginary ones. W has its modes channel by channel.
template <class W>
struct StateSpaceTables {
  static constexpr int HALF = LANES / 2, GROUPS = (W::modes + HALF - 1) / HALF, MODES = GROUPS * HALF;

  alignas(64) float enter[W::channels][GROUPS][LANES][LANES] = {};  // by sample, then part
  alignas(64) float leave[W::channels][GROUPS][LANES][LANES] = {};  // by part, then sample
  alignas(64) float direct[W::channels][2 * LANES] = {};            // after as many zeros
  alignas(64) double turn_re[W::channels][MODES] = {}, turn_im[W::channels][MODES] = {};

  constexpr StateSpaceTables() {
    for (int channel = 0; channel < W::channels; ++channel) {
      double heard[LANES] = {W::direct[channel]};
      for (int mode = 0; mode < W::modes; ++mode) {
        const int at = channel * W::modes + mode, group = mode / HALF, part = mode % HALF;
        const Complex a = {W::a_re[at], W::a_im[at]}, b = {W::b_re[at], W::b_im[at]}, c = {W::c_re[at], W::c_im[at]};
        Complex power = {1.0, 0.0};
        for (int n = 0; n < LANES; ++n) {
          const Complex in = power * b;
          heard[n] += (c * in).re;
          enter[channel][group][LANES - 1 - n][part] = static_cast<float>(in.re);
          enter[channel][group][LANES - 1 - n][part + HALF] = static_cast<float>(in.im);
          power = power * a;
          const Complex out = c * power;
          leave[channel][group][part][n] = static_cast<float>(out.re);
          leave[channel][group][part + HALF][n] = static_cast<float>(-out.im);
        }
        turn_re[channel][mode] = power.re, turn_im[channel][mode] = power.im;
      }
      for (int n = 0; n < LANES; ++n) direct[channel][LANES + n] = static_cast<float>(heard[n]);
    }
  }
};

template <class W>
class StateSpace : public W {
 public:
  // Rows in place.
  void play(float* rows, int samples) noexcept {
    int channel = 0;
    for (; channel + 2 <= W::channels; channel += 2) play<2>(channel, rows, samples);
    if (channel < W::channels) play<1>(channel, rows, samples);
  }

  template <class S>
  void restore(S& source) noexcept {
    each([&](double& part) { part = source.next(); });
  }
  void save(Sink& sink) const noexcept {
    const_cast<StateSpace*>(this)->each([&](double& part) { sink.next(part); });
  }

 private:
  typedef StateSpaceTables<W> Tables;
  static constexpr Tables TABLES{};
  static constexpr int HALF = Tables::HALF, MODES = Tables::MODES;

  // C channels side by side: turning is a chain of steps that wait for each other.
  template <int C>
  void play(int channel, float* rows, int samples) noexcept {
    const int whole = samples / LANES * LANES;
    float heard[C][CHUNK], held[C][CHUNK];  // `held`: what comes in, then what was there before
    for (int c = 0; c < C; ++c) std::memcpy(heard[c], rows + (channel + c) * CHUNK, sizeof heard[c]);
    for (int group = 0; group < Tables::GROUPS; ++group) {
      for (int c = 0; c < C; ++c) {
        int at = 0;
        for (; at + 4 * LANES <= whole; at += 4 * LANES) hear<4>(channel + c, group, heard[c] + at, held[c] + at, rows + at);
        for (; at < whole; at += LANES) hear<1>(channel + c, group, heard[c] + at, held[c] + at, rows + at);
      }
      turn<C>(channel, group * HALF, held, whole);
      for (int c = 0; c < C; ++c) {
        int at = 0;
        for (; at + 8 * LANES <= whole; at += 8 * LANES) add<8>(channel + c, group, held[c] + at, rows + at);
        for (; at + 4 * LANES <= whole; at += 4 * LANES) add<4>(channel + c, group, held[c] + at, rows + at);
        for (; at < whole; at += LANES) add<1>(channel + c, group, held[c] + at, rows + at);
      }
    }
    for (int c = 0; c < C; ++c)
      for (int n = whole; n < samples; ++n) rows[(channel + c) * CHUNK + n] = step(channel + c, heard[c][n]);
  }

  // B blocks: what comes into the modes of a group; with the first one also what is heard at once.
  template <int B>
  TAPEZOO_INLINE void hear(int channel, int group, const float* heard, float* held, float* rows) const noexcept {
    vec in[B], out[B];
    for (int b = 0; b < B; ++b) in[b] = out[b] = fill(0.0f);
    if (group == 0) {
      TAPEZOO_UNROLL
      for (int k = 0; k < LANES; ++k) {
        vec enter = load(TABLES.enter[channel][0][k]), direct = load(TABLES.direct[channel] + LANES - k);
        hold(enter), hold(direct);
        TAPEZOO_UNROLL
        for (int b = 0; b < B; ++b) {
          const vec u = fill(heard[b * LANES + k]);
          in[b] = fma(u, enter, in[b]), out[b] = fma(u, direct, out[b]);
        }
      }
      for (int b = 0; b < B; ++b) store(rows + channel * CHUNK + b * LANES, out[b]);
    } else {
      multiply<B>(in, TABLES.enter[channel][group], heard);
    }
    for (int b = 0; b < B; ++b) store(held + b * LANES, in[b]);
  }

  // B blocks: what modes of a group held is heard.
  template <int B>
  TAPEZOO_INLINE void add(int channel, int group, const float* held, float* rows) const noexcept {
    float* row = rows + channel * CHUNK;
    vec out[B];
    for (int b = 0; b < B; ++b) out[b] = load(row + b * LANES);
    multiply<B>(out, TABLES.leave[channel][group], held);
    for (int b = 0; b < B; ++b) store(row + b * LANES, out[b]);
  }

  template <int B>
  TAPEZOO_INLINE static void multiply(vec (&sums)[B], const float (&table)[LANES][LANES], const float* x) noexcept {
    TAPEZOO_UNROLL
    for (int k = 0; k < LANES; ++k) {
      vec part = load(table[k]);
      hold(part);
      TAPEZOO_UNROLL
      for (int b = 0; b < B; ++b) sums[b] = fma(fill(x[b * LANES + k]), part, sums[b]);
    }
  }

  // HALF modes of C channels, block by block.
  template <int C>
  TAPEZOO_INLINE void turn(int channel, int mode, float (&held)[C][CHUNK], int whole) noexcept {
    wide turn_re[C], turn_im[C], re[C], im[C];
    for (int c = 0; c < C; ++c) {
      turn_re[c] = load(TABLES.turn_re[channel + c] + mode), turn_im[c] = load(TABLES.turn_im[channel + c] + mode);
      re[c] = load(re_[channel + c] + mode), im[c] = load(im_[channel + c] + mode);
    }
    for (int at = 0; at < whole; at += LANES) {
      TAPEZOO_UNROLL
      for (int c = 0; c < C; ++c) {
        float *held_re = held[c] + at, *held_im = held_re + HALF;
        const wide was = re[c], in_re = widened(held_re), in_im = widened(held_im);
        store_narrow(held_re, re[c]), store_narrow(held_im, im[c]);
        re[c] = turn_re[c] * was + (in_re - turn_im[c] * im[c]);
        im[c] = turn_re[c] * im[c] + (in_im + turn_im[c] * was);
      }
    }
    for (int c = 0; c < C; ++c) store(re_[channel + c] + mode, re[c]), store(im_[channel + c] + mode, im[c]);
  }

  float step(int channel, double u) noexcept {
    double made = W::direct[channel] * u;
    for (int mode = 0; mode < W::modes; ++mode) {
      const int at = channel * W::modes + mode;
      double &re = re_[channel][mode], &im = im_[channel][mode];
      const double was = re;
      re = W::a_re[at] * was - W::a_im[at] * im + W::b_re[at] * u;
      im = W::a_re[at] * im + W::a_im[at] * was + W::b_im[at] * u;
      made += W::c_re[at] * re - W::c_im[at] * im;
    }
    return static_cast<float>(made);
  }

  template <class F>
  void each(F f) noexcept {
    for (int channel = 0; channel < W::channels; ++channel)
      for (int mode = 0; mode < W::modes; ++mode) f(re_[channel][mode]), f(im_[channel][mode]);
  }

  alignas(64) double re_[W::channels][MODES] = {}, im_[W::channels][MODES] = {};
};
