// c_t = k_t ⊙ c_{t-1} + (1 - k_t) ⊙ v_t over a batch, forward and back, for training.
#pragma once

#include "layers.h"

namespace transduce {

// N rows of T steps of W numbers. Every number goes its own way through time, so that threads share
// rows and groups of kLanes numbers, and none waits for another.
struct ScanSize {
  int64_t rows, length;
  int width;

  int64_t groups() const { return (width + kLanes - 1) / kLanes; }
  int64_t ways() const { return rows * groups(); }

  // Where a way begins among [N, T, W], or with T = 1 among [N, W], and how many numbers it has.
  int64_t place(int64_t way, int64_t steps) const {
    return way / groups() * steps * width + way % groups() * kLanes;
  }
  int count(int64_t way) const {
    return std::min<int>(kLanes, width - static_cast<int>(way % groups() * kLanes));
  }
};

inline void scan(const ScanSize& size, const Share& ways, const float* values, const float* keep,
                 const float* first, float* cells) {
  for (int64_t way = ways.begin; way < ways.end; ++way) {
    const int count = size.count(way);
    Floats cell = load_some(first + size.place(way, 1), count);
    int64_t at = size.place(way, size.length);
    for (int64_t step = 0; step < size.length; ++step, at += size.width) {
      const Floats value = load_some(values + at, count);
      cell = value + load_some(keep + at, count) * (cell - value);
      store_some(cells + at, cell, count);
    }
  }
}

// From the gradients of all cells to those of values, of what is kept and of the first cells.
inline void scan_back(const ScanSize& size, const Share& ways, const float* const* tape,
                      const float* of_cells, float* const* gradients) {
  const float *values = tape[0], *keep = tape[1], *first = tape[2], *cells = tape[3];
  for (int64_t way = ways.begin; way < ways.end; ++way) {
    const int count = size.count(way);
    const int64_t start = size.place(way, size.length), begin = size.place(way, 1);
    Floats total{};
    for (int64_t step = size.length - 1; step >= 0; --step) {
      const int64_t at = start + step * size.width;
      const Floats kept = load_some(keep + at, count);
      total += load_some(of_cells + at, count);
      const Floats before = load_some(step > 0 ? cells + at - size.width : first + begin, count);
      store_some(gradients[0] + at, total - total * kept, count);
      store_some(gradients[1] + at, total * (before - load_some(values + at, count)), count);
      total *= kept;
    }
    store_some(gradients[2] + begin, total, count);
  }
}

}  // namespace transduce
