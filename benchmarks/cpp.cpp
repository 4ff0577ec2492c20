// How fast model.hpp plays, beside what one core can do: `cpp FLOP_PER_SAMPLE` prints for blocks of 64 and 2048 samples the
// times real time at 44.1 kHz, and the share of the ceiling: fused multiply-adds from registers, measured around every run.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

#include "model.hpp"

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));
#if defined(__aarch64__)
#define KEEP(x) asm volatile("" : "+w"(x))
#else
#define KEEP(x) asm volatile("" : "+v"(x))
#endif

static volatile float sink;

static double cpu_s() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

__attribute__((noinline)) static double ceiling_gflops() {
  const vec m = vec{} + 0.9999f, c = vec{} + 1e-4f;
  vec a = m, b = c, d = m, e = m, f = m, g = m, h = m, i = m, j = m, k = m, l = m, n = m;
  const long rounds = 400000;
  const double start = cpu_s();
  for (long round = 0; round < rounds; ++round) {
    a = a * m + c, b = b * m + c, d = d * m + c, e = e * m + c, f = f * m + c, g = g * m + c;
    h = h * m + c, i = i * m + c, j = j * m + c, k = k * m + c, l = l * m + c, n = n * m + c;
    KEEP(a); KEEP(b); KEEP(d); KEEP(e); KEEP(f); KEEP(g); KEEP(h); KEEP(i); KEEP(j); KEEP(k); KEEP(l); KEEP(n);
  }
  const double took_s = cpu_s() - start;
  sink = (a + b + d + e + f + g + h + i + j + k + l + n)[0];
  return rounds * 12.0 * 2 * LANES / took_s * 1e-9;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int main(int, char** arguments) {
  const double flop = std::atof(arguments[1]);
  const int total = 11025, lengths[] = {64, 2048};
  std::vector<float> in(total), out(total), knobs(tapezoo_model::Model::num_controls + 1, 0.5f);
  for (int n = 0; n < total; ++n) in[n] = 0.5f * std::sin(0.03f * n) * std::sin(0.0011f * n);
  auto model = std::make_unique<tapezoo_model::Model>();
  for (int length : lengths) {
    std::vector<double> times, shares, ceilings;
    for (int run = 0; run < 21; ++run) {
      double ceiling = ceiling_gflops();
      const double start = cpu_s();
      int at = 0;
      for (; at + length <= total; at += length) model->process(&in[at], &out[at], length, knobs.data());
      const double rate = at / (cpu_s() - start);
      ceiling = std::max(ceiling, ceiling_gflops());
      times.push_back(rate / 44100), shares.push_back(rate * flop * 1e-9 / ceiling), ceilings.push_back(ceiling);
    }
    std::printf("%d %.1f %.3f %.3f %.1f\n", length, median(times), median(shares), *std::max_element(shares.begin(), shares.end()),
                median(ceilings));
    sink = out[99];
  }
}
