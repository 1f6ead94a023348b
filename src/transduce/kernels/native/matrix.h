// Activations [M, K] and packed weights [N, K] as products take them: float32, bfloat16 and int8.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "call.h"
#include "pool.h"
#include "vectors.h"

namespace transduce {

enum class Number : int { kFloat32 = 0, kBfloat16 = 1, kInt8 = 2, kInt4 = 3 };

// Whether activations are bytes.
inline bool in_bytes(Number number) { return number >= Number::kInt8; }

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

// Of int4: how many weights share a scale, and how many fours of them.
constexpr int kScaled = 32, kScaledFours = kScaled / 4;

// The levels, signed bytes, of codes in the lower or the upper half of each byte; ``table`` has the
// sixteen of them over and over.
#if defined(__AVX512BW__)
inline Fours lower_levels(Fours table, Fours codes) {
  return _mm512_shuffle_epi8(table, _mm512_and_si512(codes, _mm512_set1_epi8(15)));
}
inline Fours upper_levels(Fours table, Fours codes) {
  return lower_levels(table, _mm512_srli_epi16(codes, 4));
}
#elif TRANSDUCE_INT8
inline Fours lower_levels(Fours table, Fours codes) {
  return _mm256_shuffle_epi8(table, _mm256_and_si256(codes, _mm256_set1_epi8(15)));
}
inline Fours upper_levels(Fours table, Fours codes) {
  return lower_levels(table, _mm256_srli_epi16(codes, 4));
}
#else
template <int shift>
inline Fours levels_of(const Fours& table, const Fours& codes) {
  int8_t level[sizeof(Fours)];
  uint8_t code[sizeof(Fours)];
  store(level, table);
  store(code, codes);
  int8_t found[sizeof(Fours)];
  for (size_t i = 0; i < sizeof(Fours); ++i) found[i] = level[code[i] >> shift & 15];
  return load_fours(found);
}
inline Fours lower_levels(const Fours& table, const Fours& codes) { return levels_of<0>(table, codes); }
inline Fours upper_levels(const Fours& table, const Fours& codes) { return levels_of<4>(table, codes); }
#endif

// Positive float16 with all its digits, which scales are.
inline Floats from_halves(const uint16_t* from) {
  const Words bits = __builtin_convertvector(load<Halves, uint16_t>(from), Words);
  return (Floats)((bits << 13) + 0x38000000u);
}
constexpr uint16_t kLeastHalf = 0x0400, kMostHalf = 0x7bff;
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
  if (count > (int64_t{1} << 46)) throw std::bad_alloc();  // no machine has so much
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

// What one step of int8 is worth, where ``most`` of them make ``top``. What is smaller than all that a
// model computes with is taken for 0: its inverse would be infinite.
inline float unit_of(float top, int most) { return top > 1e-30f ? top / most : 1.0f; }

// Weights in panels of kPanel columns. Within a panel, for each group of k that one instruction
// multiplies (1 float, 2 bfloat16, 4 int8), the group of each column in turn. Of int4 the first half of
// a panel's columns stands in the lower halves of the bytes, the second in the upper.
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
  Block<uint8_t> values4;  // int4: codes of levels
  Block<uint16_t> units4;  // int4: float16, of kScaled weights of each column
  Block<float> shifts;     // int4: kShift times the sum of a column
  int8_t levels[64];       // int4: four times the sixteen, in 127ths of the largest

  // Of a row of activations.
  int stride() const { return groups * group(number); }

  int64_t bytes() const {
    return int64_t{panels} * kPanel * groups * (number == Number::kInt4 ? 2 : 4);
  }

  static int group(Number number) {
    return number == Number::kFloat32 ? 1 : number == Number::kBfloat16 ? 2 : 4;
  }

  // Throws Refused where a number is none, or not finite in the numbers it is packed in.
  Weight(Number number, Numbers weight, Numbers bias_from, int columns, int depth, float padding)
      : number(number), columns(columns), depth(depth) {
    require(number >= Number::kFloat32 && number <= Number::kInt8, Fault::kOperation);
    make_room(bias_from, padding);
    require(weight.count == product({columns, depth}), Fault::kOperation);
    require(weight.holds(weight.count), Fault::kNumbers);
    for (int n = 0; n < columns; ++n) pack_column(weight.values + int64_t{n} * depth, n);
  }

  // Of int8 [N, K] and what one unit of each column is worth, as they are.
  Weight(Given codes, Numbers units, Numbers bias_from, int columns, int depth, float padding)
      : number(Number::kInt8), columns(columns), depth(depth) {
    make_room(bias_from, padding);
    require(codes.memory != nullptr && codes.bytes == product({columns, depth}), Fault::kOperation);
    require(units.count == columns, Fault::kOperation);
    require(units.holds(columns), Fault::kNumbers);
    const int8_t* from = static_cast<const int8_t*>(codes.memory);
    for (int n = 0; n < columns; ++n) {
      require(units.values[n] > 0, Fault::kNumbers);
      scale[n] = units.values[n];
      pack_codes(from + int64_t{n} * depth, n);
    }
  }

  // Of int4 codes [N, ⌈K / 2⌉], two a byte, and the float16 that kScaled of them share.
  Weight(Given codes, Given units, Numbers of_levels, Numbers bias_from, int columns, int depth,
         float padding)
      : number(Number::kInt4), columns(columns), depth(depth) {
    make_room(bias_from, padding);
    const int64_t bytes = (depth + 1) / 2, scaled = groups / kScaledFours;
    require(codes.memory != nullptr && codes.bytes == product({columns, bytes}), Fault::kOperation);
    require(units.memory != nullptr && units.bytes == product({columns, scaled, 2}), Fault::kOperation);
    require(of_levels.holds(16), Fault::kNumbers);
    for (int i = 0; i < 64; ++i) {
      const float level = of_levels.values[i % 16];
      require(std::fabs(level) <= 1.0f, Fault::kNumbers);
      levels[i] = static_cast<int8_t>(std::lrintf(127 * level));
    }
    begin_groups(levels);
    for (int n = 0; n < columns; ++n)
      pack_groups(static_cast<const uint8_t*>(codes.memory) + n * bytes,
                  static_cast<const uint16_t*>(units.memory) + n * scaled, n);
  }

  // Some columns of another, in this order.
  Weight(const Weight& all, const std::vector<int32_t>& chosen)
      : number(all.number), columns(static_cast<int>(chosen.size())), depth(all.depth) {
    make_room({nullptr, 0}, -std::numeric_limits<float>::infinity());
    if (number == Number::kInt4) begin_groups(all.levels);
    for (int n = 0; n < columns; ++n) {
      bias[n] = all.bias[chosen[n]];
      number == Number::kInt4 ? copy_groups(all, chosen[n], n) : copy_column(all, chosen[n], n);
    }
  }

  // Column n as ``scale`` times its numbers; not of float32.
  void unpack(int n, float factor, float* to) const {
    if (number == Number::kInt4) return unpack_groups(n, factor, to);
    const int size = group(number);
    int64_t place = (static_cast<int64_t>(n / kPanel) * groups * kPanel + n % kPanel) * size;
    for (int k = 0; k < depth; place += kPanel * size)
      for (int i = 0; i < size && k < depth; ++i, ++k)
        to[k] = factor * (number == Number::kInt8 ? scale[n] * static_cast<float>(values8[place + i])
                                                  : from_bfloat16(values16[place + i]));
  }

 private:
  // The first group of a column: four bytes in all kinds of numbers, the next kPanel further on.
  const uint8_t* place(int column) const {
    const void* values = values32.get();
    if (number == Number::kBfloat16) values = values16.get();
    if (number == Number::kInt8) values = values8.get();
    const int64_t group = static_cast<int64_t>(column / kPanel) * groups * kPanel + column % kPanel;
    return static_cast<const uint8_t*>(values) + group * 4;
  }

  void make_room(Numbers bias_from, float padding) {
    require(columns > 0 && columns <= Widths::kMost && depth > 0 && depth <= Widths::kMost,
            Fault::kOperation);
    require(bias_from.values == nullptr || bias_from.count == columns, Fault::kOperation);
    require(bias_from.values == nullptr || bias_from.holds(columns), Fault::kNumbers);
    const int size = group(number);
    panels = (columns + kPanel - 1) / kPanel;
    groups = (depth + size - 1) / size;
    if (number == Number::kInt4) groups = round_up(groups, kScaledFours);
    const int64_t count = static_cast<int64_t>(panels) * groups * kPanel * size;
    const int padded = panels * kPanel;
    bias = allocate<float>(padded);
    for (int n = 0; n < padded; ++n)
      bias[n] = n >= columns ? padding : bias_from.values == nullptr ? 0.0f : bias_from.values[n];
    if (number == Number::kFloat32) values32 = allocate<float>(count);
    if (number == Number::kBfloat16) values16 = allocate<uint16_t>(count);
    if (number == Number::kInt4) {
      values4 = allocate<uint8_t>(count / 2);
      units4 = allocate<uint16_t>(count / kScaled);
      shifts = allocate<float>(padded);
    }
    if (number == Number::kInt8) {
      values8 = allocate<int8_t>(count);
      scale = allocate<float>(padded);
      sums = allocate<int32_t>(padded);
    }
  }

  // What stands where no column does.
  void begin_groups(const int8_t* from) {
    if (from != levels) std::copy_n(from, sizeof(levels), levels);
    std::memset(values4.get(), 0x77, int64_t{panels} * groups * kPanel * 2);
    std::fill_n(units4.get(), int64_t{panels} * (groups / kScaledFours) * kPanel, kLeastHalf);
  }

  void copy_column(const Weight& all, int column, int n) {
    if (number == Number::kInt8) {
      scale[n] = all.scale[column];
      sums[n] = all.sums[column];
    }
    const uint8_t* from = all.place(column);
    uint8_t* to = const_cast<uint8_t*>(place(n));
    for (int k = 0; k < groups; ++k) std::memcpy(to + k * kPanel * 4, from + k * kPanel * 4, 4);
  }

  void copy_groups(const Weight& all, int column, int n) {
    shifts[n] = all.shifts[column];
    for (int k = 0; k < 4 * groups; k += 4) {
      if (k % kScaled == 0)
        *const_cast<uint16_t*>(unit_of_group(n, k)) = *all.unit_of_group(column, k);
      const auto [from, from_upper] = all.place_of(column, k);
      const auto [to, to_upper] = place_of(n, k);
      uint32_t codes, others;
      std::memcpy(&codes, all.values4.get() + from, 4);
      std::memcpy(&others, values4.get() + to, 4);
      codes = codes >> (from_upper ? 4 : 0) & 0x0f0f0f0fu;
      others = to_upper ? (others & 0x0f0f0f0fu) | codes << 4 : (others & 0xf0f0f0f0u) | codes;
      std::memcpy(values4.get() + to, &others, 4);
    }
  }

  // Where the code of column n and row k is, and whether in the upper half.
  std::pair<int64_t, bool> place_of(int n, int k) const {
    constexpr int each = sizeof(Fours) / 4, half = kFours / 2;  // columns of a vector
    const int vector = n % kPanel / each;
    const int64_t four = int64_t{n / kPanel} * groups + k / 4;
    return {(four * half + vector % half) * static_cast<int64_t>(sizeof(Fours)) + n % each * 4 + k % 4,
            vector >= half};
  }

  int code_of(int n, int k) const {
    const auto [place, upper] = place_of(n, k);
    return values4[place] >> (upper ? 4 : 0) & 15;
  }

  const uint16_t* unit_of_group(int n, int k) const {
    const int64_t group = int64_t{n / kPanel} * (groups / kScaledFours) + k / kScaled;
    return units4.get() + group * kPanel + n % kPanel;
  }

  static float from_half(uint16_t half) {
    const uint32_t bits = (static_cast<uint32_t>(half) << 13) + 0x38000000u;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }

  void pack_groups(const uint8_t* from, const uint16_t* units, int n) {
    double shift = 0;
    for (int k = 0; k < 4 * groups; ++k) {
      if (k % kScaled == 0) {
        const uint16_t unit = units[k / kScaled];
        require(unit >= kLeastHalf && unit <= kMostHalf, Fault::kNumbers);
        *const_cast<uint16_t*>(unit_of_group(n, k)) = unit;
      }
      const auto [place, upper] = place_of(n, k);
      if (k < depth) {
        const uint8_t code = from[k / 2] >> (k % 2 ? 4 : 0) & 15;
        values4[place] = upper ? (values4[place] & 0x0f) | code << 4 : (values4[place] & 0xf0) | code;
      }
      shift += double{from_half(units[k / kScaled])} * levels[code_of(n, k)];
    }
    shifts[n] = static_cast<float>(kShift * shift);
  }

  void unpack_groups(int n, float factor, float* to) const {
    for (int k = 0; k < depth; ++k)
      to[k] = factor / 127 * from_half(*unit_of_group(n, k)) * levels[code_of(n, k)];
  }

  void pack_codes(const int8_t* column, int n) {
    const int panel = n / kPanel, lane = n % kPanel, whole = depth / 4;
    int8_t* to = values8.get() + (static_cast<int64_t>(panel) * groups * kPanel + lane) * 4;
    int32_t total = 0;
    for (int k = 0; k < depth; ++k) total += column[k];
    for (int k = 0; k < whole; ++k) std::memcpy(to + int64_t{k} * kPanel * 4, column + 4 * k, 4);
    if (whole < groups) std::memcpy(to + int64_t{whole} * kPanel * 4, column + 4 * whole, depth % 4);
    sums[n] = kShift * total;
  }

  void pack_column(const float* column, int n) {
    const int size = group(number), panel = n / kPanel, lane = n % kPanel;
    float unit = 1.0f;
    if (number == Number::kInt8) {
      float top = 0;
      for (int k = 0; k < depth; ++k) top = std::max(top, std::fabs(column[k]));
      unit = unit_of(top, 127);
      scale[n] = unit;
    }
    int32_t total = 0;
    for (int k = 0; k < depth; ++k) {
      const int64_t place =
          ((static_cast<int64_t>(panel) * groups + k / size) * kPanel + lane) * size + k % size;
      if (number == Number::kFloat32) values32[place] = column[k];
      if (number == Number::kBfloat16) {
        values16[place] = to_bfloat16(column[k]);
        require((values16[place] & 0x7fff) < 0x7f80, Fault::kNumbers);  // rounded to infinity
      }
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
    if (in_bytes(weight.number)) {
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
      if (in_bytes(weight.number))
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

  // What a step is worth: no number where one of the row is none, or not finite.
  static float quantize(const float* from, uint8_t* to, int depth, int stride) {
    Integers most{};  // sizes as they are ordered bit by bit, so that nothing is lost
    int k = 0;
    for (; k + kLanes <= depth; k += kLanes) {
      const Integers size = load<Integers, float>(from + k) & 0x7fffffff;
      most = size > most ? size : most;
    }
    int32_t bits = 0;
    for (int lane = 0; lane < kLanes; ++lane) bits = std::max(bits, most[lane]);
    for (; k < depth; ++k) bits = std::max(bits, load<int32_t, float>(from + k) & 0x7fffffff);
    if (bits >= 0x7f800000) {
      std::memset(to, kShift, stride);
      return std::numeric_limits<float>::quiet_NaN();
    }
    float top;
    std::memcpy(&top, &bits, sizeof(top));
    const float unit = unit_of(top, kMost), factor = 1.0f / unit;
    const auto step_at = [&](int place) {
      // 1.5 · 2^23 added: the lowest bits are then the nearest integer, here with kShift on top.
      const Floats shifted = load(from + place) * factor + (12582912.0f + kShift);
      Words bits;
      std::memcpy(&bits, &shifted, sizeof(bits));
      return bits & 0xff;
    };
    k = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    // Compilers narrow one vector at a time; here four become one, their quarters then put in order.
    for (; k + 4 * kLanes <= depth; k += 4 * kLanes) {
      const auto two = [&](int place) {
        return _mm256_packus_epi32((__m256i)step_at(place), (__m256i)step_at(place + kLanes));
      };
      const __m256i four = _mm256_packus_epi16(two(k), two(k + 2 * kLanes));
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + k),
                          _mm256_permutevar8x32_epi32(four, order));
    }
#endif
    for (; k + kLanes <= depth; k += kLanes) {
      using Bytes = uint8_t __attribute__((vector_size(kLanes)));
      store(to + k, __builtin_convertvector(step_at(k), Bytes));
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

}  // namespace transduce
