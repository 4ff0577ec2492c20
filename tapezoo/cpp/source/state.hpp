// A state as a row of numbers: read from a table of runs (the state at rest) or from memory, written to memory.

struct Run {
  int count;
  double value;
};

class Runs {
 public:
  explicit Runs(const Run* run = nullptr) noexcept : run_(run) {}
  double next() noexcept {
    if (used_ == run_->count) ++run_, used_ = 0;
    ++used_;
    return run_->value;
  }

 private:
  const Run* run_;
  int used_ = 0;
};

class Source {
 public:
  explicit Source(const double* from) noexcept : from_(from) {}
  double next() noexcept { return *from_++; }

 private:
  const double* from_;
};

class Sink {
 public:
  explicit Sink(double* to) noexcept : to_(to) {}
  void next(double value) noexcept { *to_++ = value; }

 private:
  double* to_;
};

template <class S, class T>
void read(S& source, T* to, int count) noexcept {
  for (int i = 0; i < count; ++i) to[i] = static_cast<T>(source.next());
}

template <class T>
void write(Sink& sink, const T* from, int count) noexcept {
  for (int i = 0; i < count; ++i) sink.next(from[i]);
}
