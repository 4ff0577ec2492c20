// Plays the golden samples of the bundle through model.hpp, and what a host may do to it. Prints what is wrong; 0: nothing.
//
// c++ -std=c++17 -O2 model_test.cpp -o model_test && ./model_test golden.bin        a net with a tape: golden.bin loops.bin
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "model.hpp"

using tapezoo_model::Model;
using Floats = std::vector<float>;

static int faults = 0;

static void expect(bool right, const char* what) {
  if (right) return;
  std::printf("WRONG: %s\n", what);
  ++faults;
}

static float farthest(const Floats& a, const Floats& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float apart = std::fabs(a[i] - b[i]);
    if (!(apart <= most)) most = apart;  // NaN too
  }
  return most;
}

static bool finite(const Floats& values) {
  for (float value : values)
    if (!(std::fabs(value) <= std::numeric_limits<float>::max())) return false;
  return true;
}

static Floats noise(int samples, std::uint32_t seed) {
  Floats values(samples);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(seed >> 8) / (1 << 24) - 0.5f;
  }
  return values;
}

static std::vector<char> loops;  // of a tape behind the net

// A model, as this channel of a tape where there is one.
template <class M>
static std::unique_ptr<M> made_as(int channel) {
  if constexpr (std::is_default_constructible<M>::value) {
    (void)channel;
    return std::make_unique<M>();
  } else {
    auto model = std::make_unique<M>(typename M::Loops(loops.data(), loops.size()));
    model->go_to(M::places_of(channel));
    return model;
  }
}
static std::unique_ptr<Model> made(int channel = 0) { return made_as<Model>(channel); }

static Floats positions(float at) { return Floats(Model::num_controls + 1, at); }  // one more, so that it is never empty

static Floats played(Model& model, const Floats& in, int block, const float* controls = nullptr) {
  Floats out(in.size());
  for (std::size_t at = 0; at < in.size(); at += block) {
    const std::size_t left = in.size() - at;
    model.process(&in[at], &out[at], static_cast<int>(left < std::size_t(block) ? left : block), controls);
  }
  return out;
}

static bool take(std::FILE* file, void* to, std::size_t size, std::size_t count) {
  return std::fread(to, size, count, file) == count;
}

static void replay(std::FILE* file) {
  std::int32_t cases = 0;
  expect(take(file, &cases, 4, 1) && cases > 0, "golden.bin has no cases");
  for (int index = 0; index < cases; ++index) {
    std::int32_t counts[5];
    float tolerance;
    if (!take(file, counts, 4, 5) || !take(file, &tolerance, 4, 1)) return expect(false, "golden.bin ends early");
    const int rows = counts[0], samples = counts[1], block = counts[2], settings = counts[3], controls = counts[4];
    if (controls != Model::num_controls) return expect(false, "golden.bin is of another net");
    Floats path(std::size_t(settings) * rows * controls + 1), in(std::size_t(rows) * samples), wanted(in.size());
    if (!take(file, path.data(), 4, path.size() - 1) || !take(file, in.data(), 4, in.size()) ||
        !take(file, wanted.data(), 4, wanted.size()))
      return expect(false, "golden.bin ends early");
    Floats out(in.size());
    for (int row = 0; row < rows; ++row) {
      auto model = made(row);
      for (int at = 0, number = 0; at < samples; at += block, ++number) {
        const int setting = number < settings ? number : settings - 1;
        const std::size_t place = std::size_t(row) * samples + at;
        model->process(&in[place], &out[place], samples - at < block ? samples - at : block,
                       &path[(std::size_t(setting) * rows + row) * controls]);
      }
    }
    const float most = farthest(out, wanted);
    std::printf("case %d, blocks of %d: off by %.2g of at most %.2g\n", index, block, most, tolerance);
    expect(most <= tolerance, "a golden case is over its tolerance");
  }
}

static void check_blocks() {
  const Floats in = noise(65536, 1);
  auto one = made(), other = made();
  const Floats ends = positions(1.0f);
  const Floats whole = played(*one, in, 65536, ends.data());
  other->process(in.data(), nullptr, 0, ends.data());  // a block of nothing is nothing
  expect(farthest(whole, played(*other, in, 777, ends.data())) <= 1e-5f, "the output depends on how blocks are cut");
  Floats same = in;
  one->reset();
  one->process(same.data(), same.data(), 65536, ends.data());
  expect(same == whole, "playing in place differs");
}

static void check_what_hosts_send() {
  const float none = std::numeric_limits<float>::quiet_NaN(), endless = std::numeric_limits<float>::infinity();
  auto one = made(), other = made();
  Floats bad = noise(512, 2), good = bad;
  bad[7] = none, good[7] = 0.0f;
  bad[99] = -endless, good[99] = 0.0f;
  bad[300] = 1e30f, good[300] = 1e6f;
  const Floats heard = played(*one, bad, 100);
  expect(finite(heard), "NaN in, NaN out");
  expect(heard == played(*other, good, 100), "NaN is not silence");
  expect(finite(played(*one, noise(512, 3), 64)), "what a host sent once stays");
  one->reset(), other->reset();
  const Floats far = positions(7.0f), near = positions(1.0f), nowhere = positions(none);
  const Floats wanted = played(*other, good, 64, near.data());
  expect(played(*one, good, 64, far.data()) == wanted, "controls out of range are not the nearer end");
  expect(played(*one, good, 64, nowhere.data()) == played(*other, good, 64), "a control that is NaN moves");
}

static void check_instances() {
  const Floats in = noise(5000, 4), low = positions(0.0f), high = positions(1.0f);
  auto one = made(), other = made(), alone = made();
  const Floats wanted = played(*alone, in, 64, high.data());
  Floats out(in.size()), unheard(in.size());
  for (int at = 0; at < 5000; at += 50) {
    one->process(&in[at], &out[at], 50, high.data());
    other->process(&in[4999 - at], &unheard[at], 1, low.data());
  }
  expect(farthest(out, wanted) <= 1e-5f, "two instances hear each other");
  one->reset();  // while it plays
  expect(played(*one, in, 64, high.data()) == wanted, "reset is not rest");
  auto copy = std::make_unique<Model>(*one);
  *other = *one;
  const Floats next = played(*one, in, 64);
  expect(played(*copy, in, 64) == next && played(*other, in, 64) == next, "a copy plays differently");
  one->settle(high.data());
  expect(finite(played(*one, in, 64, high.data())), "settled, it plays no audio");
}

// States as numbers, also such that no model of this net saved.
template <class Model, int = Model::state_values>
static void check_restoring(int) {
  const Floats in = noise(3000, 5), ends = positions(1.0f);
  auto one = made_as<Model>(0), other = made_as<Model>(0);
  played(*one, in, 64, ends.data());
  std::vector<double> good(Model::state_values + 1);
  one->save(good.data());
  expect(other->restore(good.data(), Model::state_values), "its own state is refused");
  Model copy = *one;
  expect(farthest(played(*other, in, 64), played(copy, in, 64)) <= 1e-5f, "a restored state plays differently");
  std::vector<double> bad = good;
  expect(!one->restore(good.data(), Model::state_values + 1), "a state that is too long is taken");
  expect(!one->restore(good.data(), Model::state_values - 1), "a state that is too short is taken");
  expect(!one->restore(good.data(), Model::state_values, Model::fingerprint + 1), "the state of another net is taken");
  for (double none : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity(), 1e300}) {
    if (!Model::state_values) break;
    bad[Model::state_values - 1] = none;
    expect(!one->restore(bad.data(), Model::state_values), "a state with a number that no float can be is taken");
    bad[Model::state_values - 1] = good[Model::state_values - 1];
  }
  expect(other->restore(good.data(), Model::state_values), "its own state is refused");
  expect(farthest(played(*one, in, 64), played(*other, in, 64)) <= 1e-5f, "a refused state leaves something behind");
  for (double far : {3e38, -3e38, 1e6, -0.25}) {
    one->restore(std::vector<double>(Model::state_values + 1, far).data(), Model::state_values);
    for (int round = 0; round < 2; ++round)
      expect(finite(played(*one, in, 64, ends.data())), "what comes of a wild state is no number");
    one->reset(), other->reset();
    expect(played(*one, in, 64) == played(*other, in, 64), "a wild state outlives reset");
  }
}

// A grid has none.
template <class Model>
static void check_restoring(long) {}

// What stands behind a net, where something does.
template <class M>
static void check_tape() {
  if constexpr (!std::is_default_constructible<M>::value) {
    expect(typename M::Loops(loops.data(), loops.size()).fit(), "loops.bin is of another model");
    expect(!typename M::Loops(loops.data(), loops.size() - 1).fit(), "loops that are too short are taken");
    std::vector<char> others = loops;
    others[0] = static_cast<char>(others[0] + 1);
    M silent(typename M::Loops(others.data(), others.size()));
    const Floats in = noise(3000, 6);
    Floats out(in.size(), 1.0f);
    expect(!silent.process(in.data(), out.data(), 3000), "loops of another model are played");
    expect(out == Floats(in.size()), "loops of another model are heard");
    std::vector<char> moved(loops.size() + 1);  // at an odd address
    std::memcpy(moved.data() + 1, loops.data(), loops.size());
    auto one = made_as<M>(0), far = std::make_unique<M>(typename M::Loops(moved.data() + 1, loops.size()));
    const Floats wanted = played(*one, in, 64);
    expect(played(*far, in, 64) == wanted, "loops elsewhere in memory sound differently");
    const auto there = one->places();
    one->settle(positions(0.5f).data());
    const auto later = one->places();
    expect(later.transport == there.transport && later.noise == there.noise && later.modulation == there.modulation,
           "settling moves the loops");
    one->reset();
    expect(played(*one, in, 64) == wanted, "reset does not begin the loops again");
    one->go_to(M::places_of(1 << 20));
    expect(finite(played(*one, in, 64)), "a far channel plays no audio");
  }
}

int main(int count, char** arguments) {
  std::FILE* file = std::fopen(count > 1 ? arguments[1] : "golden.bin", "rb");
  if (!file) {
    std::printf("WRONG: no golden.bin; give its path\n");
    return 1;
  }
  if (std::FILE* of_tape = std::fopen(count > 2 ? arguments[2] : "loops.bin", "rb")) {
    char part[4096];
    for (std::size_t got; (got = std::fread(part, 1, sizeof part, of_tape)) > 0;) loops.insert(loops.end(), part, part + got);
    std::fclose(of_tape);
  }
  replay(file);
  std::fclose(file);
  check_blocks();
  check_what_hosts_send();
  check_instances();
  check_restoring<Model>(0);
  check_tape<Model>();
  std::printf(faults ? "%d faults\n" : "all right\n", faults);
  return faults != 0;
}
