// A program: buffers of activations, and operations that every thread runs its share of.
#pragma once

#include <memory>
#include <stdexcept>
#include <vector>

#include "matrix.h"

namespace transduce {

// One run. Letters: B sentences, K beams, N rows, S source positions, t tokens read before.
struct Call {
  int64_t rows;       // N
  int64_t sentences;  // B
  int64_t source;     // S
  int64_t position;   // t
  int64_t candidates; // C, or 0 for all logits
  int64_t capacity;   // rows that a cache has room for at each position
  int64_t ancestry;   // row stride of the table of ancestors
  void* const* tensors;
};

struct Buffer {
  int width, stride;  // floats of a row; the stride is a multiple of 16
  int64_t rows = 0;
  Block<float> values;

  explicit Buffer(int width) : width(width), stride(round_up(width, kLanes)) {}

  void ensure(int64_t wanted) {
    if (wanted <= rows) return;
    values = allocate<float>(wanted * stride);
    rows = wanted;
  }

  float* row(int64_t number) const { return values.get() + number * stride; }
};

// A thread's own memory, kept between runs.
struct Scratch {
  std::vector<float> first, second, third;
  std::vector<uint16_t> halves;
  std::vector<int64_t> places;

  template <class T>
  static T* sized(std::vector<T>& values, int64_t count) {
    if (static_cast<int64_t>(values.size()) < count) values.resize(count);
    return values.data();
  }
};

struct Context {
  const Call& call;
  Pool& pool;
  std::vector<Buffer>& buffers;
  Scratch& scratch;
  int thread, threads;

  Share share(int64_t count) const { return Share(count, thread, threads); }
  Buffer& buffer(int number) const { return buffers[number]; }
  template <class T>
  T* tensor(int number) const {
    return static_cast<T*>(call.tensors[number]);
  }
};

struct Operation {
  virtual ~Operation() = default;
  virtual void prepare(const Call&) {}  // on one thread, before the run
  virtual void run(const Context& context) = 0;
};

class Program {
 public:
  int add_buffer(int width) {
    buffers_.emplace_back(width);
    return static_cast<int>(buffers_.size()) - 1;
  }

  void add(std::unique_ptr<Operation> operation) { operations_.push_back(std::move(operation)); }

  void run(Pool& pool, const Call& call) {
    for (auto& buffer : buffers_) buffer.ensure(call.rows);
    for (auto& operation : operations_) operation->prepare(call);
    scratch_.resize(pool.threads());
    pool.run([&](int thread) {
      const Context context{call, pool, buffers_, scratch_[thread], thread, pool.team()};
      for (auto& operation : operations_) {
        operation->run(context);
        pool.barrier();
      }
    });
  }

 private:
  std::vector<Buffer> buffers_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Scratch> scratch_;
};

}  // namespace transduce
