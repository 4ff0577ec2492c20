// Vectors of float32, as wide as the processor's: by the compiler's vector extensions (GCC, Clang), else as plain loops.
//
// TAPEZOO_LANES sets another width, a power of two from 4 to 16; TAPEZOO_PLAIN asks for the plain loops.

#if !defined(TAPEZOO_LANES)
#if defined(__AVX512F__)
#define TAPEZOO_LANES 16
#elif defined(__AVX__)
#define TAPEZOO_LANES 8
#else
#define TAPEZOO_LANES 4  // SSE2, NEON
#endif
#endif
constexpr int LANES = TAPEZOO_LANES;
static_assert(LANES == 4 || LANES == 8 || LANES == 16, "TAPEZOO_LANES is 4, 8 or 16");

constexpr float ROUNDER = 12582912.0f;  // 1.5 x 2^23: what is added to it becomes a whole number
constexpr std::int32_t ROUNDER_BITS = 0x4b400000;

constexpr int whole_vectors(int count) { return (count + 15) / 16 * 16; }  // of the widest

#if defined(__GNUC__) && !defined(TAPEZOO_PLAIN)
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef double wide __attribute__((vector_size(4 * LANES)));  // half as many

TAPEZOO_INLINE vec fill(float x) { return x - vec{}; }  // minus: plus 0 would turn -0 into 0
// one instruction each, which compilers do not find behind a comparison
#if TAPEZOO_LANES == 16 && defined(__AVX512F__)
TAPEZOO_INLINE vec min(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
TAPEZOO_INLINE vec max(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
#elif TAPEZOO_LANES == 8 && defined(__AVX__)
TAPEZOO_INLINE vec min(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
TAPEZOO_INLINE vec max(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
#elif TAPEZOO_LANES == 4 && defined(__SSE2__)
TAPEZOO_INLINE vec min(vec a, vec b) { return (vec)_mm_min_ps((__m128)a, (__m128)b); }
TAPEZOO_INLINE vec max(vec a, vec b) { return (vec)_mm_max_ps((__m128)a, (__m128)b); }
#else
TAPEZOO_INLINE vec min(vec a, vec b) { return a < b ? a : b; }
TAPEZOO_INLINE vec max(vec a, vec b) { return a > b ? a : b; }
#endif

// 2^x for |x| <= 126: `fraction` gets x less the whole number whose power of two is returned.
TAPEZOO_INLINE vec split_power(vec x, vec& fraction) {
  typedef std::int32_t whole __attribute__((vector_size(4 * LANES)));
  const vec rounded = x + fill(ROUNDER);
  whole bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  bits -= ROUNDER_BITS;  // by the bits: -ffast-math may take (x + a) - a for x
  fraction = x - __builtin_convertvector(bits, vec);
  bits = (bits + 127) << 23;
  vec power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

typedef float narrow __attribute__((vector_size(2 * LANES)));
TAPEZOO_INLINE wide widened(const float* from) {
#if TAPEZOO_LANES == 8 && defined(__AVX__)
  return (wide)_mm256_cvtps_pd(_mm_loadu_ps(from));  // GCC 12 makes seven of it
#else
  narrow value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_convertvector(value, wide);
#endif
}
TAPEZOO_INLINE void store_narrow(float* to, wide value) {
  const narrow rounded = __builtin_convertvector(value, narrow);
  std::memcpy(to, &rounded, sizeof rounded);
}
#else
template <class T, int N>
struct Lanes {
  T lane[N];
  T operator[](int index) const { return lane[index]; }
};
typedef Lanes<float, LANES> vec;
typedef Lanes<double, LANES / 2> wide;

template <class T, int N, class F>
TAPEZOO_INLINE Lanes<T, N> each(Lanes<T, N> a, Lanes<T, N> b, F f) {
  for (int i = 0; i < N; ++i) a.lane[i] = f(a.lane[i], b.lane[i]);
  return a;
}
TAPEZOO_INLINE vec fill(float x) { return each(vec{}, vec{}, [x](float, float) { return x; }); }
template <class T, int N>
TAPEZOO_INLINE Lanes<T, N> operator+(Lanes<T, N> a, Lanes<T, N> b) {
  return each(a, b, [](T x, T y) { return x + y; });
}
template <class T, int N>
TAPEZOO_INLINE Lanes<T, N> operator-(Lanes<T, N> a, Lanes<T, N> b) {
  return each(a, b, [](T x, T y) { return x - y; });
}
template <class T, int N>
TAPEZOO_INLINE Lanes<T, N> operator*(Lanes<T, N> a, Lanes<T, N> b) {
  return each(a, b, [](T x, T y) { return x * y; });
}
TAPEZOO_INLINE vec operator/(vec a, vec b) { return each(a, b, [](float x, float y) { return x / y; }); }
TAPEZOO_INLINE vec min(vec a, vec b) { return each(a, b, [](float x, float y) { return x < y ? x : y; }); }
TAPEZOO_INLINE vec max(vec a, vec b) { return each(a, b, [](float x, float y) { return x > y ? x : y; }); }

TAPEZOO_INLINE vec split_power(vec x, vec& fraction) {
  vec power;
  for (int i = 0; i < LANES; ++i) {
    const float rounded = x.lane[i] + ROUNDER;
    std::int32_t bits;
    std::memcpy(&bits, &rounded, sizeof bits);
    bits -= ROUNDER_BITS;
    fraction.lane[i] = x.lane[i] - static_cast<float>(bits);
    bits = (bits + 127) * (1 << 23);
    std::memcpy(&power.lane[i], &bits, sizeof bits);
  }
  return power;
}

TAPEZOO_INLINE wide widened(const float* from) {
  wide value;
  for (int i = 0; i < LANES / 2; ++i) value.lane[i] = from[i];
  return value;
}
TAPEZOO_INLINE void store_narrow(float* to, wide value) {
  for (int i = 0; i < LANES / 2; ++i) to[i] = static_cast<float>(value.lane[i]);
}
#endif

TAPEZOO_INLINE wide load(const double* from) {
  wide value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

TAPEZOO_INLINE void store(double* to, wide value) { std::memcpy(to, &value, sizeof value); }

TAPEZOO_INLINE vec load(const float* from) {
  vec value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

TAPEZOO_INLINE void store(float* to, vec value) { std::memcpy(to, &value, sizeof value); }

TAPEZOO_INLINE vec fma(vec a, vec b, vec c) { return a * b + c; }  // one instruction where there is one

// Keeps it in a register: GCC would read it again from memory for each use, and reading is what products wait for.
TAPEZOO_INLINE void hold(vec& x) {
#if defined(__GNUC__) && !defined(TAPEZOO_PLAIN) && \
    (TAPEZOO_LANES == 16 ? defined(__AVX512F__) : TAPEZOO_LANES == 8 ? defined(__AVX__) : defined(__SSE2__))
  asm("" : "+v"(x));
#elif defined(__GNUC__) && !defined(TAPEZOO_PLAIN) && TAPEZOO_LANES == 4 && defined(__aarch64__)
  asm("" : "+w"(x));
#else
  (void)x;
#endif
}

TAPEZOO_INLINE float total(vec x) {
  float sum[LANES];
  std::memcpy(sum, &x, sizeof x);
  for (int half = LANES / 2; half; half /= 2)
    for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
  return sum[0];
}
