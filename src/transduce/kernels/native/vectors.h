// Vectors of 16 or 8 floats on whatever the processor has, by the compiler's vector extensions.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace transduce {

// As wide as a register: a compiler keeps wider ones in memory.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Integers = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));

inline int round_up(int64_t value, int64_t multiple) {
  return static_cast<int>((value + multiple - 1) / multiple * multiple);
}

inline Floats splat(float value) { return Floats{} + value; }

template <class Vector, class Scalar>
inline Vector load(const Scalar* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(Vector));
  return vector;
}

inline Floats load(const float* from) { return load<Floats, float>(from); }

template <class Vector, class Scalar>
inline void store(Scalar* to, const Vector& vector) {
  std::memcpy(to, &vector, sizeof(Vector));
}

// A whole vector, or the first ``count`` numbers where there are no more; what is not there is 0.
inline Floats load_some(const float* from, int count) {
  if (count >= kLanes) return load(from);
  float values[kLanes] = {};
  std::memcpy(values, from, sizeof(float) * count);
  return load(values);
}

inline void store_some(float* to, const Floats& vector, int count) {
  if (count >= kLanes) return store(to, vector);
  std::memcpy(to, &vector, sizeof(float) * count);
}

inline float sum(const Floats& vector) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)vector);
#elif defined(__AVX2__)
  const __m256 both = (__m256)vector;
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
#else
  float total = 0;
  for (int lane = 0; lane < kLanes; ++lane) total += vector[lane];
  return total;
#endif
}

// Lane n of the result is the sum of vector n.
inline Floats sums(const Floats (&vectors)[kLanes]) {
#if defined(__AVX512F__)
  __m512 quarters[4];  // 128-bit lane l: the sums over the lanes l of four vectors
  for (int i = 0; i < 4; ++i) {
    __m512 halves[2];
    for (int j = 0; j < 2; ++j) {
      const __m512 a = (__m512)vectors[4 * i + 2 * j], b = (__m512)vectors[4 * i + 2 * j + 1];
      halves[j] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
    const __m512d a = _mm512_castps_pd(halves[0]), b = _mm512_castps_pd(halves[1]);
    quarters[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                                _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  const auto fold = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  return (Floats)fold(fold(quarters[0], quarters[1]), fold(quarters[2], quarters[3]));
#elif defined(__AVX2__)
  __m256 halves[2];  // 128-bit lane l: the sums over the lanes l of four vectors
  for (int i = 0; i < 2; ++i) {
    const Floats* four = vectors + 4 * i;
    halves[i] = _mm256_hadd_ps(_mm256_hadd_ps((__m256)four[0], (__m256)four[1]),
                               _mm256_hadd_ps((__m256)four[2], (__m256)four[3]));
  }
  return (Floats)_mm256_add_ps(_mm256_permute2f128_ps(halves[0], halves[1], 0x20),
                               _mm256_permute2f128_ps(halves[0], halves[1], 0x31));
#else
  Floats result;
  for (int lane = 0; lane < kLanes; ++lane) result[lane] = sum(vectors[lane]);
  return result;
#endif
}

inline float largest(const Floats& vector) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)vector);
#elif defined(__AVX2__)
  const __m256 both = (__m256)vector;
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
#else
  float best = vector[0];
  for (int lane = 1; lane < kLanes; ++lane) best = vector[lane] > best ? vector[lane] : best;
  return best;
#endif
}

inline Floats larger(const Floats& a, const Floats& b) { return a > b ? a : b; }

#if defined(__AVX512F__)
// 2^r for r within ±1/2, a polynomial of degree 5: wrong by 2e-7 at most.
inline __m512 small_power(__m512 r) {
  __m512 p = _mm512_set1_ps(1.32647e-3f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.67151e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.550734e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.4022242e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93147e-1f));
  return _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
}

inline __m512 nearest(__m512 x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#else
// x / ln 2 as a whole number n, and e^(x - n ln 2): a polynomial of degree 6 of what is within
// ±ln 2 / 2 (Cody & Waite).
inline Floats split_exponential(const Floats& x, Floats& n) {
  const Floats shifter = splat(12582912.0f);  // 1.5 · 2^23: adding it rounds to an integer
  n = x * 1.44269504f + shifter;
  n -= shifter;
  Floats r = x - n * 0.693359375f;
  r += n * 2.12194440e-4f;
  Floats p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * r * r + r + 1.0f;
}

// 2^n for whole numbers from -127, which is taken for 0, to 127.
inline Floats power_of_two(const Floats& n) {
  const Integers bits = (__builtin_convertvector(n, Integers) + 127) << 23;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  return power;
}
#endif

// e^x: 2^n · e^r with r within ±ln 2 / 2. Relative error below 4e-7; below -104 it is 0.
inline Floats exponential(const Floats& x) {
#if defined(__AVX512F__)
  // The larger of two is the second where one is no number, so that stays what it is.
  const __m512 clipped = _mm512_max_ps(_mm512_set1_ps(-150.0f), (__m512)x);
  const __m512 n = nearest(_mm512_mul_ps(clipped, _mm512_set1_ps(1.44269504f)));
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), clipped);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.3888889e-3f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665796e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return (Floats)_mm512_scalef_ps(p, n);
#else
  const Floats low = splat(-87.3f), high = splat(88.7f);
  Floats clipped = x > high ? high : x;  // in this order: what is no number stays none
  clipped = clipped < low ? low : clipped;
  Floats n;
  const Floats p = split_exponential(clipped, n);
  return x < low ? Floats{} : p * power_of_two(n);
#endif
}

// e^x for x ≤ 0: 2^n · 2^r with r within ±1/2. What is wrong is at most 3e-7, relative to 1: for
// what is summed up with numbers of that size.
inline Floats share_of_one(const Floats& x) {
#if defined(__AVX512F__)
  const __m512 y = _mm512_mul_ps((__m512)x, _mm512_set1_ps(1.44269504f));
  const __m512 clipped = _mm512_max_ps(_mm512_set1_ps(-200.0f), y);  // in this order: see above
  const __m512 n = nearest(clipped);
  return (Floats)_mm512_scalef_ps(small_power(_mm512_sub_ps(clipped, n)), n);
#else
  return exponential(x);
#endif
}

// e^x / 2^exponent for x ≤ exponent · ln 2, ``exponent`` a whole number: the same digits whatever it
// is, so that a sum of these differs by a power of two and nothing else. What is below 2^-126 is 0, or
// nearly.
inline Floats scaled_exponential(const Floats& x, float exponent) {
  const Floats low = splat((exponent - 127.0f) * 0.6931471806f);
#if defined(__AVX512F__)
  const __m512 clipped = _mm512_max_ps((__m512)low, (__m512)x);  // in this order: see above
  const __m512 n = nearest(_mm512_mul_ps(clipped, _mm512_set1_ps(1.44269504f)));
  __m512 r = _mm512_fmsub_ps(clipped, _mm512_set1_ps(1.44269504f), n);
  r = _mm512_fmadd_ps(clipped, _mm512_set1_ps(1.92596299e-8f), r);  // what the constant lacks
  return (Floats)_mm512_scalef_ps(small_power(r), _mm512_sub_ps(n, _mm512_set1_ps(exponent)));
#else
  Floats n;
  const Floats p = split_exponential(x < low ? low : x, n);
  return p * power_of_two(n - exponent);  // from -127 on; what is no number is none by p
#endif
}

// Bit n says whether lane n is above ``bound``.
inline uint32_t lanes_above(const Floats& values, float bound) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)values, _mm512_set1_ps(bound), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)values, _mm256_set1_ps(bound), _CMP_GT_OQ));
#else
  uint32_t lanes = 0;
  for (int lane = 0; lane < kLanes; ++lane) lanes |= uint32_t{values[lane] > bound} << lane;
  return lanes;
#endif
}

inline Floats sigmoid(const Floats& x) { return 1.0f / (1.0f + exponential(-x)); }

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), and with w = z / (2 + z) within 1/3: log(1 + z) =
// 2 (w + w³/3 + w⁵/5 + …).
inline Floats softplus(const Floats& x) {
  const Floats above = x < Floats{} ? Floats{} : x;  // what is no number stays none
  const Floats z = exponential(x < Floats{} ? x : -x), w = z / (2.0f + z), square = w * w;
  Floats p = splat(1.0f / 15);
  p = p * square + 1.0f / 13;
  p = p * square + 1.0f / 11;
  p = p * square + 1.0f / 9;
  p = p * square + 1.0f / 7;
  p = p * square + 1.0f / 5;
  p = p * square + 1.0f / 3;
  p = p * square + 1.0f;
  return above + 2.0f * w * p;
}

inline Floats hyperbolic_tangent(const Floats& x) {
  // tanh x = x - x³/3 + 2x⁵/15 - … near zero, where 1 - 2/(e^2x + 1) would cancel.
  const Floats square = x * x;
  const Floats small =
      x * (1.0f + square * (-0.333333333f + square * (0.133333333f - square * 0.0539682540f)));
  const Floats full = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
  return square < splat(0.01f) ? small : full;
}

// erf by Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7.
inline Floats error_function(const Floats& x) {
  const Floats size = x < Floats{} ? -x : x;
  const Floats t = 1.0f / (1.0f + 0.3275911f * size);
  Floats p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Floats value = 1.0f - p * t * exponential(-size * size);
  return x < Floats{} ? -value : value;
}

// bfloat16: the upper half of a float, rounded to the nearest, ties to even. What is no number is
// written as one that ends in zeros, or rounding could make something of it.
inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline Halves to_bfloat16(const Floats& values) {
#if defined(__AVX512BF16__)
  return (Halves)_mm512_cvtneps_pbh((__m512)values);
#else
  Words bits;
  std::memcpy(&bits, &values, sizeof(bits));
  bits = values == values ? bits : Words{} + 0x7fc00000u;
  return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
#endif
}

inline float from_bfloat16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

inline Floats from_bfloat16(const Halves& values) {
  const Words bits = __builtin_convertvector(values, Words) << 16;
  Floats result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

// Caches hold float or bfloat16; both read as floats.
inline Floats read(const float* from) { return load(from); }
inline Floats read(const uint16_t* from) { return from_bfloat16(load<Halves, uint16_t>(from)); }
inline float read_one(const float* from) { return *from; }
inline float read_one(const uint16_t* from) { return from_bfloat16(*from); }
inline void write_one(float* to, float value) { *to = value; }
inline void write_one(uint16_t* to, float value) { *to = to_bfloat16(value); }

inline void write(float* to, const Floats& values) { store(to, values); }
inline void write(uint16_t* to, const Floats& values) { store(to, to_bfloat16(values)); }

inline void write(float* to, const float* from, int count) {
  std::memcpy(to, from, sizeof(float) * count);
}

inline void write(uint16_t* to, const float* from, int count) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, to_bfloat16(load(from + i)));
  for (; i < count; ++i) to[i] = to_bfloat16(from[i]);
}

template <class Stored>
inline float dot(const float* a, const Stored* b, int count) {
  Floats first{}, second{};
  int i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first += load(a + i) * read(b + i);
    second += load(a + i + kLanes) * read(b + i + kLanes);
  }
  for (; i + kLanes <= count; i += kLanes) first += load(a + i) * read(b + i);
  float total = sum(first + second);
  for (; i < count; ++i) total += a[i] * read_one(b + i);
  return total;
}

// Two bfloat16 as one number.
inline uint32_t pair_at(const uint16_t* halves, int place) {
  uint32_t pair;
  std::memcpy(&pair, halves + place, sizeof(pair));
  return pair;
}

// The first numbers of 16 pairs of bfloat16, and the second ones.
inline Floats first_of_pairs(const Words& pairs) {
  const Words bits = pairs << 16;
  return load(reinterpret_cast<const float*>(&bits));
}

inline Floats second_of_pairs(const Words& pairs) {
  const Words bits = pairs & 0xffff0000u;
  return load(reinterpret_cast<const float*>(&bits));
}

// Kept in its register from here on: a compiler may otherwise load it again wherever it is used.
template <class Vector>
inline Vector kept(Vector vector) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(vector));
#endif
  return vector;
}

// What pairs of bfloat16 are multiplied by: such pairs where one instruction takes them, else the same
// numbers as floats, which need not be widened at each use.
#if defined(__AVX512BF16__)
using Factor = uint16_t;

// total + the products of 16 pairs of bfloat16, side by side, with one pair.
inline Floats add_pairs(const Floats& total, const uint16_t* pairs, const Factor* factors) {
  return (Floats)_mm512_dpbf16_ps((__m512)total, (__m512bh)_mm512_loadu_si512(pairs),
                                  (__m512bh)_mm512_set1_epi32(static_cast<int>(pair_at(factors, 0))));
}

inline void write_factors(Factor* to, const float* from, int count) { write(to, from, count); }
#else
using Factor = float;

inline Floats add_pairs(const Floats& total, const uint16_t* pairs, const Factor* factors) {
  const Words both = load<Words, uint16_t>(pairs);
  return total + factors[0] * first_of_pairs(both) + factors[1] * second_of_pairs(both);
}

inline void write_factors(Factor* to, const float* from, int count) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(to + i, from_bfloat16(to_bfloat16(load(from + i))));
  for (; i < count; ++i) to[i] = from_bfloat16(to_bfloat16(from[i]));
}
#endif

// to = Σ_t weights[t] · row(t), the sums kept in registers.
template <class Row>
inline void weighted_sum(float* to, const float* weights, int count, int width, const Row& row) {
  constexpr int kSums = 4;
  int i = 0;
  for (; i + kSums * kLanes <= width; i += kSums * kLanes) {
    Floats sums[kSums] = {};
    for (int t = 0; t < count; ++t) {
      const auto* from = row(t) + i;
      for (int v = 0; v < kSums; ++v) sums[v] += weights[t] * read(from + v * kLanes);
    }
    for (int v = 0; v < kSums; ++v) store(to + i + v * kLanes, sums[v]);
  }
  for (; i + kLanes <= width; i += kLanes) {
    Floats total{};
    for (int t = 0; t < count; ++t) total += weights[t] * read(row(t) + i);
    store(to + i, total);
  }
  for (; i < width; ++i) {
    float total = 0;
    for (int t = 0; t < count; ++t) total += weights[t] * read_one(row(t) + i);
    to[i] = total;
  }
}

// to += weight · from
template <class Stored>
inline void add_scaled(float* to, const Stored* from, float weight, int count) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + weight * read(from + i));
  for (; i < count; ++i) to[i] += weight * read_one(from + i);
}

// In place: e^(x - max) over its sum. Entries are ``count`` of ``padded`` (a multiple of 16); the
// rest becomes 0.
inline void softmax(float* scores, int count, int padded) {
  for (int i = count; i < padded; ++i) scores[i] = -std::numeric_limits<float>::infinity();
  Floats best = load(scores);
  for (int i = kLanes; i < padded; i += kLanes) best = larger(best, load(scores + i));
  const float top = largest(best);
  Floats total{};
  for (int i = 0; i < padded; i += kLanes) {
    const Floats value = share_of_one(load(scores + i) - top);
    store(scores + i, value);
    total += value;
  }
  const float scale = 1.0f / sum(total);
  for (int i = 0; i < padded; i += kLanes) store(scores + i, load(scores + i) * scale);
}

}  // namespace transduce
