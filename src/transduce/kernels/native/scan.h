// c_t = k_t ⊙ c_{t-1} + (1 - k_t) ⊙ v_t over a batch, forward and back, for training.
#pragma once

#include "layers.h"

namespace transduce {

// Numbers that go through time together: so many vectors that one does not wait for another's sums.
constexpr int kWay = 4 * kLanes;

// N rows of T steps of W numbers. Every number goes its own way through time, so that threads share
// rows and ways of kWay numbers, and none waits for another.
struct ScanSize {
  int64_t rows, length;
  int width;

  int64_t each() const { return (width + kWay - 1) / kWay; }
  int64_t ways() const { return rows * each(); }

  // Where a way begins among [N, T, W], or with T = 1 among [N, W], and how many numbers it has.
  int64_t place(int64_t way, int64_t steps) const {
    return way / each() * steps * width + way % each() * kWay;
  }
  int count(int64_t way) const {
    return std::min<int>(kWay, width - static_cast<int>(way % each() * kWay));
  }
};

inline void scan(const ScanSize& size, const Share& ways, const float* values, const float* keep,
                 const float* first, float* cells) {
  for (int64_t way = ways.begin; way < ways.end; ++way) {
    const int count = size.count(way);
    const int64_t start = size.place(way, size.length);
    Floats cell[kWay / kLanes];
    for (int i = 0; i < count; i += kLanes)
      cell[i / kLanes] = load_some(first + size.place(way, 1) + i, count - i);
    for (int64_t step = 0; step < size.length; ++step) {
      const int64_t at = start + step * size.width;
      for (int i = 0; i < count; i += kLanes) {
        Floats& own = cell[i / kLanes];
        const Floats value = load_some(values + at + i, count - i);
        own = value + load_some(keep + at + i, count - i) * (own - value);
        store_some(cells + at + i, own, count - i);
      }
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
    Floats total[kWay / kLanes] = {};
    for (int64_t step = size.length - 1; step >= 0; --step) {
      const int64_t at = start + step * size.width;
      const float* before = step > 0 ? cells + at - size.width : first + begin;
      for (int i = 0; i < count; i += kLanes) {
        Floats& own = total[i / kLanes];
        const int some = count - i;
        const Floats kept = load_some(keep + at + i, some);
        own += load_some(of_cells + at + i, some);
        store_some(gradients[0] + at + i, own - own * kept, some);
        const Floats change = load_some(before + i, some) - load_some(values + at + i, some);
        store_some(gradients[1] + at + i, own * change, some);
        own *= kept;
      }
    }
    for (int i = 0; i < count; i += kLanes)
      store_some(gradients[2] + begin + i, total[i / kLanes], count - i);
  }
}

}  // namespace transduce
