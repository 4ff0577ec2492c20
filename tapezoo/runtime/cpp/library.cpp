// A model as a library for other languages: memory is the caller's, `size` bytes at a multiple of `alignment`.
#include <cmath>
#include <cstring>
#include <new>
#include <type_traits>

#include "model.hpp"

using tapezoo_model::Model;

// A block of all channels, and what stands behind the net.
struct Job {
  Model* const* models;
  const float* in;        // `channels` rows of `samples`
  float* out;             // as `in`
  const float* controls;
  double* blocked;        // of every channel x[n-1] and y[n-1] of a high pass with this pole; null: there is none
  float* delayed;         // of every channel its last `delay` samples, a ring from `delay_at` on; null: there is no mix
  double pole;
  float mix, knee, ceiling;
  int limits, channels, samples, delay, delay_at;
  int checked;            // whether the samples are known to be fit
};

// Audio, by its mean power, which is what costs least to look at; at most 40 dB over full scale.
static bool is_fit(const float* values, int count) {
  double power = 0.0;
  for (int from = 0; from < count; from += 64) {
    float part[8] = {};
    const int size = count - from < 64 ? count - from : 64;
    int i = 0;
    for (; i + 8 <= size; i += 8)
      for (int k = 0; k < 8; ++k) part[k] += values[from + i + k] * values[from + i + k];
    for (; i < size; ++i) part[0] += values[from + i] * values[from + i];
    for (float each : part) power += each;
  }
  return power <= 1e4 * count;  // not so for NaN
}

static void block_dc(double* memory, double pole, float* row, int samples) {
  const double gain = (1.0 + pole) / 2.0;
  double before = memory[0], level = memory[1];
  for (int n = 0; n < samples; ++n) {
    const double x = row[n];
    level = pole * level + gain * (x - before);
    before = x;
    row[n] = static_cast<float>(level);
  }
  memory[0] = before, memory[1] = level;
}

static void limit(float knee, float ceiling, float* row, int samples) {
  float loudest = 0.0f;
  for (int n = 0; n < samples; ++n) loudest = std::fabs(row[n]) > loudest ? std::fabs(row[n]) : loudest;
  if (loudest <= knee) return;
  const float room = ceiling - knee;
  for (int n = 0; n < samples; ++n) {
    const float size = std::fabs(row[n]);
    if (size <= knee) continue;
    const float bent = knee + room * std::tanh((size - knee) / room);
    row[n] = std::copysign(bent < ceiling ? bent : ceiling, row[n]);
  }
}

static bool play(Job& job) {
  const int count = job.samples;
  bool well = true;
  for (int channel = 0; channel < job.channels; ++channel) {
    const float* in = job.in + channel * count;
    float* out = job.out + channel * count;
    well = job.models[channel]->process(in, out, count, job.controls) && well;
    if (job.blocked) block_dc(job.blocked + 2 * channel, job.pole, out, count);
    if (job.delayed) {
      float* ring = job.delayed + channel * job.delay;
      for (int n = 0, at = job.delay_at; n < count; ++n) {
        float late = in[n];
        if (job.delay) {
          late = ring[at];
          ring[at] = in[n];
          at = at + 1 == job.delay ? 0 : at + 1;
        }
        out[n] = job.mix * out[n] + (1.0f - job.mix) * late;
      }
    }
    if (job.limits) limit(job.knee, job.ceiling, out, count);
  }
  if (job.delayed && job.delay) job.delay_at = (job.delay_at + count) % job.delay;
  return well;
}

// A grid has no state as numbers.
template <class M>
constexpr auto values_of(int) -> decltype(M::state_values) {
  return M::state_values;
}
template <class M>
constexpr int values_of(long) {
  return 0;
}
template <class M>
auto restored(M* model, const double* from, int count) -> decltype(model->restore(from, count)) {
  return model->restore(from, count);
}
[[maybe_unused]] static bool restored(...) { return false; }
template <class M>
auto saved(const M* model, double* to) -> decltype(model->save(to)) {
  model->save(to);
}
[[maybe_unused]] static void saved(...) {}

// A net with a tape behind it reads loops, memory of the caller's that outlives it.
template <class M>
long long loops_bytes() {
  if constexpr (std::is_default_constructible<M>::value)
    return 0;
  else
    return static_cast<long long>(M::Loops::bytes);
}
template <class M>
void make(void* memory, const void* loops) {
  if constexpr (std::is_default_constructible<M>::value)
    new (memory) M;
  else
    new (memory) M(typename M::Loops(loops, M::Loops::bytes));
  (void)loops;
}

// all else stays inside: the linker would give two libraries one table where their names are the same
#pragma GCC visibility push(default)
extern "C" {
int tapezoo_size() { return static_cast<int>(sizeof(Model)); }
int tapezoo_alignment() { return static_cast<int>(alignof(Model)); }
int tapezoo_state_values() { return values_of<Model>(0); }
int tapezoo_num_controls() { return Model::num_controls; }
long long tapezoo_loops_bytes() { return loops_bytes<Model>(); }
void tapezoo_make(void* memory, const void* loops) { make<Model>(memory, loops); }
void tapezoo_reset(Model* model) { model->reset(); }
void tapezoo_settle(Model* model, const float* controls) { model->settle(controls); }
int tapezoo_restore(Model* model, const double* from, int count) { return restored(model, from, count); }
void tapezoo_save(const Model* model, double* to) { saved(model, to); }
int tapezoo_process(Model* model, const float* in, float* out, int samples, const float* controls) {
  return model->process(in, out, samples, controls);
}
// 0: played; 1: samples that somebody should look at first, nothing has happened; 2: the net left all bounds.
int tapezoo_play(Job* job) {
  if (!job->checked && !is_fit(job->in, job->channels * job->samples)) return 1;
  return play(*job) ? 0 : 2;
}
}
#pragma GCC visibility pop
