// What a run is told, and what is checked of it before any thread begins: a number out of a file, or a
// person's, is refused here or it is right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <vector>

namespace transduce {

// Why something was refused; border.py turns each into words.
enum class Fault : int64_t {
  kNone = 0,
  kMemory = 1,     // too short, or threads that could not be started
  kOperation = 2,  // an operation and its buffers or weights do not go together
  kNumbers = 3,    // a weight that is no finite number, or none in the numbers it is packed in
  kSizes = 4,      // of a call, that contradict each other
  kMissing = 5,    // a tensor that is not given
  kShort = 6,      // ``found`` bytes where ``bound`` are read or written
  kRange = 7,      // ``found`` among a tensor's numbers, which must be ``least`` … ``bound`` - 1
  kScores = 8,     // of a model, that are no numbers
  kPositions = 9,  // more than the model knows
  kFinite = 10,    // a tensor with numbers that are not
};

struct Report {
  int64_t fault, tensor, found, least, bound;
};

struct Refused : std::exception {
  Report report;
  explicit Refused(Fault fault, int64_t tensor = -1, int64_t found = 0, int64_t least = 0,
                   int64_t bound = 0)
      : report{static_cast<int64_t>(fault), tensor, found, least, bound} {}
};

inline void require(bool holds, Fault fault) {
  if (!holds) throw Refused(fault);
}

// Of numbers none of which is below zero.
inline int64_t product(std::initializer_list<int64_t> factors) {
  int64_t total = 1;
  for (const int64_t factor : factors)
    require(factor >= 0 && !__builtin_mul_overflow(total, factor, &total), Fault::kSizes);
  return total;
}

inline bool all_finite(const float* numbers, int64_t count) {
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, numbers + i, sizeof(bits));
    most = std::max(most, bits & 0x7fffffffu);
  }
  return most < 0x7f800000u;
}

// A tensor as it is handed in; without bytes it is not.
struct Given {
  static constexpr int64_t kOwn = -1;  // for ``bytes``: made by whoever runs, as large as needed
  void* memory;
  int64_t bytes;
};

// Weights that an operation reads, ``count`` of them.
struct Numbers {
  const float* values;
  int64_t count;
  bool holds(int64_t wanted) const {
    return values != nullptr && count == wanted && all_finite(values, count);
  }
};

// One run. Letters: B sentences, K beams, N rows, S source positions, t tokens read before.
struct Call {
  int64_t rows;        // N
  int64_t sentences;   // B
  int64_t source;      // S
  int64_t position;    // t
  int64_t candidates;  // C, or 0 for all logits
  int64_t capacity;    // rows that a cache has room for at each position
  int64_t ancestry;    // row stride of the table of ancestors
  int64_t distances;   // row stride of a bias by distance
  int64_t listed;      // row stride of the shortlists; 0: there are none
  const Given* tensors;
  int64_t tensor_count;
  const int64_t* places = nullptr;  // where in the memory sentence b is; null: at b

  // Sizes that no product of which, with a width, overflows.
  void check() const {
    for (const int64_t size : {rows, sentences, source, position, candidates, capacity, ancestry,
                               distances, listed, tensor_count})
      require(size >= 0 && size < std::numeric_limits<int32_t>::max(), Fault::kSizes);
    require(sentences > 0 && rows % sentences == 0, Fault::kSizes);
    require(tensor_count == 0 || tensors != nullptr, Fault::kSizes);
  }

  // That rows are the positions of sources, which have at least so many each.
  void of_sources(int lengths, int64_t least) const {
    require(rows == sentences * source, Fault::kSizes);
    within<int64_t>(lengths, sentences, least, source + 1);
  }

  // Rows of a buffer with one for each block of positions: never more than there are positions.
  int64_t blocks(int64_t block) const {
    return std::min(rows, sentences * ((source + block - 1) / block));
  }

  bool gives(int tensor) const {
    require(tensor >= 0 && tensor < tensor_count, Fault::kSizes);
    return tensors[tensor].bytes != 0;
  }

  // That so many numbers of ``size`` bytes may be read or written.
  void room(int tensor, std::initializer_list<int64_t> numbers, int64_t size) const {
    if (!gives(tensor)) throw Refused(Fault::kMissing, tensor);
    const int64_t bytes = tensors[tensor].bytes, wanted = product({product(numbers), size});
    if (bytes != Given::kOwn && bytes < wanted)
      throw Refused(Fault::kShort, tensor, bytes, 0, wanted);
  }

  template <class Number>
  const Number* there(int tensor) const {
    if (tensors[tensor].memory == nullptr) throw Refused(Fault::kMissing, tensor);
    return static_cast<const Number*>(tensors[tensor].memory);
  }

  // That a tensor holds so many numbers, all finite.
  void finite(int tensor, std::initializer_list<int64_t> numbers) const {
    room(tensor, numbers, sizeof(float));
    if (!all_finite(there<float>(tensor), product(numbers))) throw Refused(Fault::kFinite, tensor);
  }

  // That a tensor holds a row of ``listed`` tokens for each sentence: rising, all below ``bound``,
  // and zeros behind the last.
  void lists(int tensor, int64_t bound) const {
    within<int64_t>(tensor, product({sentences, listed}), 0, bound);
    const int64_t* tokens = there<int64_t>(tensor);
    for (int64_t i = 0; i < sentences * listed; ++i) {
      if (i % listed == 0 || tokens[i] == 0) continue;
      const bool behind = i % listed > 1 && tokens[i - 1] == 0;
      if (tokens[i] <= tokens[i - 1] || behind)
        throw Refused(Fault::kRange, tensor, tokens[i], behind ? 0 : tokens[i - 1] + 1,
                      behind ? 1 : bound);
    }
  }

  // That a tensor holds ``count`` numbers, none below ``least``, all below ``bound``.
  template <class Number>
  void within(int tensor, int64_t count, int64_t least, int64_t bound) const {
    room(tensor, {count}, sizeof(Number));
    if (tensors[tensor].bytes == Given::kOwn) return;
    const Number* numbers = there<Number>(tensor);
    for (int64_t i = 0; i < count; ++i)
      if (numbers[i] < least || numbers[i] >= bound)
        throw Refused(Fault::kRange, tensor, numbers[i], least, bound);
  }
};

// The widths of a program's buffers, for the operations that are to fit them.
class Widths {
 public:
  static constexpr int kMost = 1 << 26;

  // With ``block`` there is a row for each block of so many positions of a source.
  int add(int width, int block = 1) {
    require(width > 0 && width <= kMost && widths_.size() < (size_t{1} << 20), Fault::kOperation);
    require(block > 0, Fault::kOperation);
    widths_.push_back(width);
    blocks_.push_back(block);
    return static_cast<int>(widths_.size()) - 1;
  }

  int block(int buffer) const { return blocks_[buffer]; }

  int64_t operator[](int buffer) const {
    require(buffer >= 0 && buffer < size(), Fault::kOperation);
    return widths_[buffer];
  }

  int size() const { return static_cast<int>(widths_.size()); }

 private:
  std::vector<int> widths_, blocks_;
};

}  // namespace transduce
