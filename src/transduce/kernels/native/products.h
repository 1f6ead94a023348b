// Products of activations with packed weights, tile by tile.
#pragma once

#include "matrix.h"

namespace transduce {

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

// The same in int8, the bias added: ``take(r, column, value)`` gets each vector out of its register.
template <int R, class Take>
inline void multiply8(const Weight& w, int panel, const uint8_t* a, int64_t stride,
                      const float* scale, const Take& take) {
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
      take(r, v * kLanes,
           __builtin_convertvector(totals[r][v] - shift, Floats) * (unit * scale[r]) + bias);
  }
}

// The same with weights of int4: whole numbers within a scale's weights, floats across them.
template <int R, class Take>
inline void multiply4(const Weight& w, int panel, const uint8_t* a, int64_t stride,
                      const float* scale, const Take& take) {
  const Fours table = load_fours(w.levels);
  const uint8_t* b = w.values4.get() + static_cast<int64_t>(panel) * w.groups * kPanel * 2;
  const uint16_t* unit = w.units4.get() + static_cast<int64_t>(panel) * w.groups / kScaledFours * kPanel;
  Floats totals[R][kPanelVectors] = {};
  for (int group = 0; group < w.groups; group += kScaledFours, unit += kPanel) {
    Fours sums[R][kFours] = {};
    for (int k = group; k < group + kScaledFours; ++k, b += kPanel * 2) {
      Fours columns[kFours];
      for (int v = 0; v < kFours / 2; ++v) {
        const Fours codes = load_fours(reinterpret_cast<const int8_t*>(b) + v * sizeof(Fours));
        columns[v] = lower_levels(table, codes);
        columns[v + kFours / 2] = upper_levels(table, codes);
      }
      for (int r = 0; r < R; ++r) {
        int32_t four;
        std::memcpy(&four, a + r * stride + 4 * k, 4);
        const Fours values = splat_four(four);
        for (int v = 0; v < kFours; ++v) sums[r][v] = add_fours(sums[r][v], values, columns[v]);
      }
    }
    Integers whole[R][kPanelVectors];
    static_assert(sizeof(whole) == sizeof(sums));
    std::memcpy(whole, sums, sizeof(sums));
    for (int v = 0; v < kPanelVectors; ++v) {
      const Floats units = from_halves(unit + v * kLanes);
      for (int r = 0; r < R; ++r)
        totals[r][v] += __builtin_convertvector(whole[r][v], Floats) * units;
    }
  }
  for (int v = 0; v < kPanelVectors; ++v) {
    const int place = panel * kPanel + v * kLanes;
    const Floats shift = load(w.shifts.get() + place), bias = load(w.bias.get() + place);
    for (int r = 0; r < R; ++r)
      take(r, v * kLanes, (totals[r][v] - shift) * (scale[r] / 127) + bias);
  }
}

// Of int8 or int4.
template <int R, class Take>
inline void multiply8(const Weight& w, int panel, const Activations& a, int row, const Take& take) {
  const auto put = [&](int r, int column, const Floats& value) { take(row + r, column, value); };
  const uint8_t* bytes = a.bytes() + int64_t{row} * w.stride();
  if (w.number == Number::kInt4)
    multiply4<R>(w, panel, bytes, w.stride(), a.scale() + row, put);
  else
    multiply8<R>(w, panel, bytes, w.stride(), a.scale() + row, put);
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
    case Number::kInt4:
      return multiply8<R>(w, panel, a, row, [&](int r, int column, const Floats& value) {
        store(to + (r - row) * kPanel + column, value);
      });
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
  if (in_bytes(w.number)) return;  // it is there already
  const float* bias = w.bias.get() + panel * kPanel;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < kPanel; c += kLanes)
      store(to + r * kPanel + c, load(to + r * kPanel + c) + load(bias + c));
}

// Rows ``first`` … ``last`` - 1 of one panel: ``take(row, rows, tile)`` for each tile.
template <class Take>
void multiply_rows(const Weight& w, int panel, const float* input, int64_t stride,
                   const Activations& a, int first, int last, const Take& take) {
  alignas(64) float to[kTileRows * kPanel];
  for (int row = first; row < last; row += kTileRows) {
    const int count = std::min(kTileRows, last - row);
    multiply_tile(w, panel, input, stride, a, row, count, to);
    take(row, count, to);
  }
}

// The same in int8 or int4: ``take(row, column, value)`` for each vector of the products, which are never
// written in between.
template <class Take>
void multiply_rows8(const Weight& w, int panel, const Activations& a, int first, int last,
                    const Take& take) {
  int row = first;
  for (; row + kTileRows <= last; row += kTileRows)
    tile::multiply8<kTileRows>(w, panel, a, row, take);
  switch (last - row) {
    case 1: return tile::multiply8<1>(w, panel, a, row, take);
    case 2: return tile::multiply8<2>(w, panel, a, row, take);
    case 3: return tile::multiply8<3>(w, panel, a, row, take);
    case 4: return tile::multiply8<4>(w, panel, a, row, take);
    case 5: return tile::multiply8<5>(w, panel, a, row, take);
  }
}

// How many pieces of work ``rows`` rows are.
inline int row_blocks(int rows) { return (rows + kRowBlock - 1) / kRowBlock; }

// One thread's share of ``rows`` rows times weights: ``work(panel, first, last)`` for each piece.
// Panels are contiguous for a thread, so that each reads its own share of the weights once.
template <class Work>
void share_panels(const Weight& w, int rows, int thread, int threads, const Work& work) {
  const int blocks = row_blocks(rows);
  const Share share(static_cast<int64_t>(w.panels) * blocks, thread, threads);
  for (int64_t item = share.begin; item < share.end; ++item) {
    const int first = static_cast<int>(item % blocks) * kRowBlock;
    work(static_cast<int>(item / blocks), first, std::min(rows, first + kRowBlock));
  }
}

// One thread's share of input [M, K] times weights: ``take(row, rows, panel, tile)`` for each tile.
template <class Take>
void multiply_share(const Weight& w, const float* input, int64_t stride, const Activations& a,
                    int rows, int thread, int threads, const Take& take) {
  share_panels(w, rows, thread, threads, [&](int panel, int first, int last) {
    multiply_rows(w, panel, input, stride, a, first, last,
                  [&](int row, int count, const float* tile) { take(row, count, panel, tile); });
  });
}

}  // namespace transduce
