// A model as a library for other languages: memory is the caller's, `size` bytes at a multiple of `alignment`.
#include <new>

#include "model.hpp"

using tapezoo_model::Model;

// all else stays inside: the linker would give two libraries one table where their names are the same
#pragma GCC visibility push(default)
extern "C" {
int tapezoo_size() { return static_cast<int>(sizeof(Model)); }
int tapezoo_alignment() { return static_cast<int>(alignof(Model)); }
int tapezoo_state_values() { return Model::state_values; }
int tapezoo_num_controls() { return Model::num_controls; }
void tapezoo_make(void* memory) { new (memory) Model; }
void tapezoo_reset(Model* model) { model->reset(); }
void tapezoo_settle(Model* model, const float* controls) { model->settle(controls); }
int tapezoo_restore(Model* model, const double* from, int count) { return model->restore(from, count); }
void tapezoo_save(const Model* model, double* to) { model->save(to); }
int tapezoo_process(Model* model, const float* in, float* out, int samples, const float* controls) {
  return model->process(in, out, samples, controls);
}
}
#pragma GCC visibility pop
