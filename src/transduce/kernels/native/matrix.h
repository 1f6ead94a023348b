// Products of activations [M, K] with packed weights [N, K]: float32, bfloat16 and int8.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "pool.h"
#include "vectors.h"

namespace transduce {

enum class Number : int { kFloat32 = 0, kBfloat16 = 1, kInt8 = 2 };

// How many columns are computed together, in vectors, and for how many rows: as many sums as
// registers hold.
#if defined(__AVX512F__)
constexpr int kPanelVectors = 4, kTileRows = 6;
#else
constexpr int kPanelVectors = 2, kTileRows = 6;
#endif
constexpr int kPanel = kPanelVectors * kLanes;  // columns of a panel

// How int8 is multiplied: 2: four products summed in one instruction; 1: pairs of products summed
// in 16 bits; 0: one by one.
#if defined(__AVX512VNNI__) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
#define TRANSDUCE_INT8 2
#elif defined(__AVX512BW__) || (defined(__AVX2__) && !defined(__AVX512F__))
#define TRANSDUCE_INT8 1
#else
#define TRANSDUCE_INT8 0
#endif

// Activations as int8: from -kMost to kMost, kShift added so that none is below zero. In a pair of
// 16 bits 2 · 127 · 127 fits, 2 · 255 · 127 does not.
constexpr int kMost = TRANSDUCE_INT8 == 1 ? 63 : 127, kShift = kMost + 1;

// Lanes of four bytes, or of the sums of their products, as wide as such an instruction takes.
#if defined(__AVX512BW__)
using Fours = __m512i;
inline Fours load_fours(const int8_t* from) { return _mm512_loadu_si512(from); }
inline Fours splat_four(int32_t four) { return _mm512_set1_epi32(four); }

// total + the products of four unsigned with four signed bytes in each lane.
inline Fours add_fours(Fours total, Fours bytes, Fours weights) {
#if TRANSDUCE_INT8 == 2
  return _mm512_dpbusd_epi32(total, bytes, weights);
#else
  const Fours pairs = _mm512_maddubs_epi16(bytes, weights);
  return _mm512_add_epi32(total, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#endif
}
#elif TRANSDUCE_INT8
using Fours = __m256i;
inline Fours load_fours(const int8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline Fours splat_four(int32_t four) { return _mm256_set1_epi32(four); }

inline Fours add_fours(Fours total, Fours bytes, Fours weights) {
#if TRANSDUCE_INT8 == 2
  return _mm256_dpbusd_avx_epi32(total, bytes, weights);
#else
  const Fours pairs = _mm256_maddubs_epi16(bytes, weights);
  return _mm256_add_epi32(total, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}
#else
using Fours = Integers;
inline Fours load_fours(const int8_t* from) { return load<Integers, int8_t>(from); }
inline Fours splat_four(int32_t four) { return Integers{} + four; }

inline Fours add_fours(Fours total, const Fours& bytes, const Fours& weights) {
  uint8_t a[sizeof(Fours)];
  int8_t b[sizeof(Fours)];
  store(a, bytes);
  store(b, weights);
  for (int i = 0; i < static_cast<int>(sizeof(Fours)); ++i) total[i / 4] += a[i] * b[i];
  return total;
}
#endif
constexpr int kFours = kPanel * 4 / sizeof(Fours);  // of a panel
constexpr int kRowBlock = 48;                   // rows of one piece of work

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
using Block = std::unique_ptr<T[], Free>;

// Aligned; large blocks on large pages where the system gives them, since a single sentence reads all
// weights once a token.
template <class T>
Block<T> reserve(int64_t count) {
  const size_t page = size_t{1} << 21;
  const size_t wanted = sizeof(T) * static_cast<size_t>(std::max<int64_t>(count, 1));
  const size_t align = wanted > 2 * page ? page : 64;
  const size_t size = (wanted + align - 1) / align * align;
  void* memory = std::aligned_alloc(align, size);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (align == page) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return Block<T>(static_cast<T*>(memory));
}

// The same, zeroed.
template <class T>
Block<T> allocate(int64_t count) {
  Block<T> block = reserve<T>(count);
  std::memset(block.get(), 0, sizeof(T) * static_cast<size_t>(std::max<int64_t>(count, 1)));
  return block;
}

// Weights in panels of kPanel columns. Within a panel, for each group of k that one instruction
// multiplies (1 float, 2 bfloat16, 4 int8), the group of each column in turn.
struct Weight {
  Number number;
  int columns, depth;  // N, K
  int panels, groups;  // ceil(N / kPanel), ceil(K / group)
  Block<float> values32;
  Block<uint16_t> values16;
  Block<int8_t> values8;
  Block<float> scale;   // int8: what one unit of a column is worth
  Block<int32_t> sums;  // int8: kShift times the sum of a column
  Block<float> bias;

  // Of a row of activations.
  int stride() const { return groups * group(number); }

  int64_t bytes() const { return int64_t{panels} * kPanel * groups * 4; }

  static int group(Number number) {
    return number == Number::kFloat32 ? 1 : number == Number::kBfloat16 ? 2 : 4;
  }

  Weight(Number number, const float* weight, const float* bias_from, int columns, int depth,
         float padding)
      : number(number), columns(columns), depth(depth) {
    const int size = group(number);
    panels = (columns + kPanel - 1) / kPanel;
    groups = (depth + size - 1) / size;
    const int64_t count = static_cast<int64_t>(panels) * groups * kPanel * size;
    const int padded = panels * kPanel;
    bias = allocate<float>(padded);
    for (int n = 0; n < padded; ++n)
      bias[n] = n >= columns ? padding : bias_from == nullptr ? 0.0f : bias_from[n];
    if (number == Number::kFloat32) values32 = allocate<float>(count);
    if (number == Number::kBfloat16) values16 = allocate<uint16_t>(count);
    if (number == Number::kInt8) {
      values8 = allocate<int8_t>(count);
      scale = allocate<float>(padded);
      sums = allocate<int32_t>(padded);
    }
    for (int n = 0; n < columns; ++n) pack_column(weight + static_cast<int64_t>(n) * depth, n);
  }

 private:
  void pack_column(const float* column, int n) {
    const int size = group(number), panel = n / kPanel, lane = n % kPanel;
    float unit = 1.0f;
    if (number == Number::kInt8) {
      float top = 0;
      for (int k = 0; k < depth; ++k) top = std::max(top, std::fabs(column[k]));
      unit = top > 0 ? top / 127.0f : 1.0f;
      scale[n] = unit;
    }
    int32_t total = 0;
    for (int k = 0; k < depth; ++k) {
      const int64_t place =
          ((static_cast<int64_t>(panel) * groups + k / size) * kPanel + lane) * size + k % size;
      if (number == Number::kFloat32) values32[place] = column[k];
      if (number == Number::kBfloat16) values16[place] = to_bfloat16(column[k]);
      if (number == Number::kInt8) {
        const int value = static_cast<int>(std::lrintf(column[k] / unit));
        values8[place] = static_cast<int8_t>(value);
        total += value;
      }
    }
    if (number == Number::kInt8) sums[n] = kShift * total;
  }
};

// Activations in the form that weights multiply, rows in a line. int8: each row over its own largest
// size, kShift added so that the processor's unsigned-by-signed products apply.
class Activations {
 public:
  // Room, before ``convert`` is called on several threads.
  void prepare(const Weight& weight, int64_t rows) {
    if (weight.number == Number::kBfloat16) grow(halves_, halves_size_, rows * weight.stride());
    if (weight.number == Number::kInt8) {
      grow(bytes_, bytes_size_, rows * weight.stride());
      grow(scale_, scale_size_, rows);
    }
  }

  void convert(const Weight& weight, const float* from, int64_t from_stride, Share rows) {
    const int depth = weight.depth, stride = weight.stride();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* values = from + row * from_stride;
      if (weight.number == Number::kBfloat16) {
        uint16_t* to = halves_.get() + row * stride;
        write(to, values, depth);
        if (depth < stride) to[depth] = 0;
      }
      if (weight.number == Number::kInt8)
        scale_[row] = quantize(values, bytes_.get() + row * stride, depth, stride);
    }
  }

  const uint16_t* halves() const { return halves_.get(); }
  const uint8_t* bytes() const { return bytes_.get(); }
  const float* scale() const { return scale_.get(); }

 private:
  template <class T>
  static void grow(Block<T>& block, int64_t& size, int64_t wanted) {
    if (wanted <= size) return;
    block = allocate<T>(wanted);
    size = wanted;
  }

  static float quantize(const float* from, uint8_t* to, int depth, int stride) {
    Floats most{};
    int k = 0;
    for (; k + kLanes <= depth; k += kLanes) {
      const Floats v = load(from + k);
      most = larger(most, larger(v, -v));
    }
    float top = largest(most);
    for (; k < depth; ++k) top = std::max(top, std::fabs(from[k]));
    const float unit = top > 0 ? top / kMost : 1.0f, factor = 1.0f / unit;
    for (k = 0; k + kLanes <= depth; k += kLanes) {
      // 1.5 · 2^23 added: the lowest bits are then the nearest integer, here with kShift on top.
      const Floats shifted = load(from + k) * factor + (12582912.0f + kShift);
      Words bits;
      std::memcpy(&bits, &shifted, sizeof(bits));
      using Bytes = uint8_t __attribute__((vector_size(kLanes)));
      store(to + k, __builtin_convertvector(bits & 0xff, Bytes));
    }
    for (; k < depth; ++k) to[k] = static_cast<uint8_t>(std::lrintf(from[k] * factor) + kShift);
    for (; k < stride; ++k) to[k] = kShift;
    return unit;
  }

  Block<uint16_t> halves_;
  Block<uint8_t> bytes_;
  Block<float> scale_;
  int64_t halves_size_ = 0, bytes_size_ = 0, scale_size_ = 0;
};

namespace tile {

// Each kernel gives ``to`` [R, kPanel], its rows ``to_stride`` apart: R rows of activations times one
// panel ``b`` of so many groups, bias not added.

#if defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__)
// Sums of R rows by hand: compilers keep vectors wider than the registers in memory.
template <int R>
struct Sums {
  __m256 values[R][2];

  Sums() {
    for (int r = 0; r < R; ++r) values[r][0] = values[r][1] = _mm256_setzero_ps();
  }

  void add(int row, __m256 value, __m256 low, __m256 high) {
    values[row][0] = _mm256_fmadd_ps(value, low, values[row][0]);
    values[row][1] = _mm256_fmadd_ps(value, high, values[row][1]);
  }

  void store_to(float* to, int64_t stride) const {
    for (int r = 0; r < R; ++r)
      for (int half = 0; half < 2; ++half)
        _mm256_storeu_ps(to + r * stride + half * 8, values[r][half]);
  }
};

template <int R>
inline void multiply32(const float* b, int groups, const float* a, int64_t stride, float* to,
                       int64_t to_stride) {
  Sums<R> sums;
  for (int k = 0; k < groups; ++k, b += kPanel) {
    const __m256 low = _mm256_loadu_ps(b), high = _mm256_loadu_ps(b + 8);
    for (int r = 0; r < R; ++r) sums.add(r, _mm256_broadcast_ss(a + r * stride + k), low, high);
  }
  sums.store_to(to, to_stride);
}

template <int R>
inline void multiply16(const uint16_t* b, int groups, const uint16_t* a, int64_t stride, float* to,
                       int64_t to_stride) {
  Sums<R> sums;
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  const auto first = [](__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); };
  const auto second = [&](__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, upper));
  };
  for (int k = 0; k < groups; ++k, b += kPanel * 2) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + kPanel));
    for (int r = 0; r < R; ++r) {
      int32_t pair;
      std::memcpy(&pair, a + r * stride + 2 * k, 4);
      const __m256i values = _mm256_set1_epi32(pair);
      sums.add(r, first(values), first(low), first(high));
      sums.add(r, second(values), second(low), second(high));
    }
  }
  sums.store_to(to, to_stride);
}
#else
template <int R>
inline void multiply32(const float* b, int groups, const float* a, int64_t stride, float* to,
                       int64_t to_stride) {
  Floats sums[R][kPanelVectors] = {};
  for (int k = 0; k < groups; ++k, b += kPanel) {
    Floats columns[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) columns[v] = kept(load(b + v * kLanes));
    for (int r = 0; r < R; ++r) {
      const Floats value = splat(a[r * stride + k]);
      for (int v = 0; v < kPanelVectors; ++v) sums[r][v] += value * columns[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kPanelVectors; ++v) store(to + r * to_stride + v * kLanes, sums[r][v]);
}

template <int R>
inline void multiply16(const uint16_t* b, int groups, const uint16_t* a, int64_t stride, float* to,
                       int64_t to_stride) {
  Floats sums[R][kPanelVectors] = {};
  for (int k = 0; k < groups; ++k, b += kPanel * 2) {
    Words columns[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v)
      columns[v] = kept(load<Words, uint16_t>(b + v * kLanes * 2));
    for (int r = 0; r < R; ++r) {
      uint32_t pair;
      std::memcpy(&pair, a + r * stride + 2 * k, 4);
      const Words values = Words{} + pair;
      for (int v = 0; v < kPanelVectors; ++v) {
#if defined(__AVX512BF16__)
        sums[r][v] = (Floats)_mm512_dpbf16_ps((__m512)sums[r][v], (__m512bh)values,
                                              (__m512bh)columns[v]);
#else
        sums[r][v] += first_of_pairs(values) * first_of_pairs(columns[v]);
        sums[r][v] += second_of_pairs(values) * second_of_pairs(columns[v]);
#endif
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kPanelVectors; ++v) store(to + r * to_stride + v * kLanes, sums[r][v]);
}
#endif

// The same by the type of the numbers.
template <int R>
inline void product(const float* b, int groups, const float* a, int64_t stride, float* to,
                    int64_t to_stride) {
  multiply32<R>(b, groups, a, stride, to, to_stride);
}

template <int R>
inline void product(const uint16_t* b, int groups, const uint16_t* a, int64_t stride, float* to,
                    int64_t to_stride) {
  multiply16<R>(b, groups, a, stride, to, to_stride);
}

template <int R>
inline void multiply8(const Weight& w, int panel, const uint8_t* a, int64_t stride,
                      const float* scale, float* to) {
  Fours sums[R][kFours] = {};
  const int8_t* b = w.values8.get() + static_cast<int64_t>(panel) * w.groups * kPanel * 4;
  for (int k = 0; k < w.groups; ++k, b += kPanel * 4) {
    Fours columns[kFours];
    for (int v = 0; v < kFours; ++v) columns[v] = kept(load_fours(b + v * sizeof(Fours)));
    for (int r = 0; r < R; ++r) {
      int32_t four;
      std::memcpy(&four, a + r * stride + 4 * k, 4);
      const Fours values = splat_four(four);
      for (int v = 0; v < kFours; ++v) sums[r][v] = add_fours(sums[r][v], values, columns[v]);
    }
  }
  Integers totals[R][kPanelVectors];
  static_assert(sizeof(totals) == sizeof(sums));
  std::memcpy(totals, sums, sizeof(sums));
  for (int v = 0; v < kPanelVectors; ++v) {
    const int place = panel * kPanel + v * kLanes;
    const Integers shift = load<Integers, int32_t>(w.sums.get() + place);
    const Floats unit = load(w.scale.get() + place), bias = load(w.bias.get() + place);
    for (int r = 0; r < R; ++r)
      store(to + r * kPanel + v * kLanes,
            __builtin_convertvector(totals[r][v] - shift, Floats) * (unit * scale[r]) + bias);
  }
}

template <int R>
inline void multiply(const Weight& w, int panel, const float* input, int64_t stride,
                     const Activations& a, int row, float* to) {
  const int64_t place = static_cast<int64_t>(panel) * w.groups * kPanel;
  switch (w.number) {
    case Number::kFloat32:
      return multiply32<R>(w.values32.get() + place, w.groups, input + row * stride, stride, to,
                           kPanel);
    case Number::kBfloat16:
      return multiply16<R>(w.values16.get() + 2 * place, w.groups,
                           a.halves() + int64_t{row} * w.stride(), w.stride(), to, kPanel);
    case Number::kInt8:
      return multiply8<R>(w, panel, a.bytes() + int64_t{row} * w.stride(), w.stride(),
                          a.scale() + row, to);
  }
}

}  // namespace tile

// Rows ``row`` … of one panel, at most kTileRows, with the bias.
inline void multiply_tile(const Weight& w, int panel, const float* input, int64_t stride,
                          const Activations& a, int row, int rows, float* to) {
  static_assert(kTileRows == 6);
  switch (rows) {
    case 1: tile::multiply<1>(w, panel, input, stride, a, row, to); break;
    case 2: tile::multiply<2>(w, panel, input, stride, a, row, to); break;
    case 3: tile::multiply<3>(w, panel, input, stride, a, row, to); break;
    case 4: tile::multiply<4>(w, panel, input, stride, a, row, to); break;
    case 5: tile::multiply<5>(w, panel, input, stride, a, row, to); break;
    default: tile::multiply<6>(w, panel, input, stride, a, row, to); break;
  }
  if (w.number == Number::kInt8) return;  // it is there already
  const float* bias = w.bias.get() + panel * kPanel;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < kPanel; c += kLanes)
      store(to + r * kPanel + c, load(to + r * kPanel + c) + load(bias + c));
}

// One thread's share of input [M, K] times weights: ``take(row, rows, panel, tile)`` for each tile.
// Panels are contiguous for a thread, so that each reads its own part of the weights once.
template <class Take>
void multiply_share(const Weight& w, const float* input, int64_t stride, const Activations& a,
                    int rows, int thread, int threads, const Take& take) {
  alignas(64) float to[kTileRows * kPanel];
  const int blocks = (rows + kRowBlock - 1) / kRowBlock;
  const Share share(static_cast<int64_t>(w.panels) * blocks, thread, threads);
  for (int64_t item = share.begin; item < share.end; ++item) {
    const int panel = static_cast<int>(item / blocks);
    const int first = static_cast<int>(item % blocks) * kRowBlock;
    const int last = std::min(rows, first + kRowBlock);
    for (int row = first; row < last; row += kTileRows) {
      const int count = std::min(kTileRows, last - row);
      multiply_tile(w, panel, input, stride, a, row, count, to);
      take(row, count, panel, to);
    }
  }
}

}  // namespace transduce
