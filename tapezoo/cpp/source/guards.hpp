// What a host may do to a net: numbers that are none, and denormal ones.

// A sample as the net hears it: silence for NaN and infinities, and at most 1e6, 120 dB over full scale. Tested by its
// bits, since -ffast-math lets a compiler believe that there are no NaNs.
TAPEZOO_INLINE float sane(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) == 0x7f800000u) return 0.0f;
  return x > 1e6f ? 1e6f : x < -1e6f ? -1e6f : x;
}

// Where a knob is told to go, in 0..1; NaN leaves it at `before`.
TAPEZOO_INLINE float sane_position(float x, float before) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return before;
  return x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f;
}

// Whether all of them are numbers, by their bits.
inline bool finite(const float* values, int count) noexcept {
  std::uint32_t most = 0;
  for (int n = 0; n < count; ++n) {
    std::uint32_t bits;
    std::memcpy(&bits, values + n, sizeof bits);
    bits &= 0x7f800000u;
    most = bits > most ? bits : most;
  }
  return most != 0x7f800000u;
}

// Whether a double is a number in a float's range, by its bits.
inline bool is_float(double x) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7fffffffffffffffu) <= 0x47efffffe0000000u;  // 3.4e38
}

// Denormal numbers are 0 as long as it lives: they take a hundred times as long, and no one hears them.
class NoDenormals {
 public:
#if defined(__SSE2__) || defined(_M_X64)
  NoDenormals() noexcept : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
  ~NoDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__) && defined(__GNUC__)
  NoDenormals() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | (std::uint64_t{1} << 24)));
  }
  ~NoDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  std::uint64_t before_;
#else
  NoDenormals() noexcept {}
#endif

 public:
  NoDenormals(const NoDenormals&) = delete;
  NoDenormals& operator=(const NoDenormals&) = delete;
};
