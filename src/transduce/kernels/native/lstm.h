// A long short-term memory over a batch, forward and back, for training.
#pragma once

#include "products.h"

namespace transduce {

// Numbers of one layer over B sentences of T positions, E inputs and D units (a multiple of 16; E
// even). ``Stored`` is float or, where products are of bfloat16, uint16_t.
struct LstmSize {
  int64_t sentences, length;
  int inputs, units;

  int depth() const { return inputs + units; }
  int blocks() const { return units / kLanes; }
};

constexpr int kGates = 4;                      // input, forget, cell and output, as torch orders them
constexpr int kBlock = kGates * kLanes;        // the gates of kLanes units
constexpr int kBlockPanels = kBlock / kPanel;  // 1 or 2
static_assert(kBlock % kPanel == 0);

namespace lstm {

// At most kTileRows rows ``stride`` apart times panels of ``depth``, side by side in ``to``.
template <class Stored>
inline void multiply(const Stored* b, int panels, int depth, const Stored* a, int64_t stride,
                     int rows, float* to, int64_t to_stride) {
  const int groups = depth * static_cast<int>(sizeof(Stored)) / 4;
  for (int p = 0; p < panels; ++p, b += int64_t{depth} * kPanel, to += kPanel) {
    switch (rows) {
      case 1: tile::product<1>(b, groups, a, stride, to, to_stride); break;
      case 2: tile::product<2>(b, groups, a, stride, to, to_stride); break;
      case 3: tile::product<3>(b, groups, a, stride, to, to_stride); break;
      case 4: tile::product<4>(b, groups, a, stride, to, to_stride); break;
      case 5: tile::product<5>(b, groups, a, stride, to, to_stride); break;
      default: tile::product<6>(b, groups, a, stride, to, to_stride); break;
    }
  }
}

// Where number ``k`` of column ``n`` stands among packed weights of ``depth``.
template <class Stored>
inline int64_t place(int64_t n, int64_t k, int64_t depth) {
  constexpr int kPair = sizeof(Stored) == 2 ? 2 : 1;
  return (n / kPanel * depth + k / kPair * kPair) * kPanel + n % kPanel * kPair + k % kPair;
}

inline Floats squashed(const Floats& x) {  // sigmoid
#if defined(__AVX512F__)
  // At most 80, or 0 times infinity would be no number; in this order what is none stays none.
  const Floats most = (Floats)_mm512_min_ps(_mm512_set1_ps(80.0f), (__m512)-x);
  const __m512 power = _mm512_add_ps(_mm512_set1_ps(1.0f), (__m512)exponential(most));
  const __m512 guess = _mm512_rcp14_ps(power);  // one step of Newton's: 24 bits
  return (Floats)_mm512_mul_ps(guess, _mm512_fnmadd_ps(power, guess, _mm512_set1_ps(2.0f)));
#else
  return sigmoid(x);
#endif
}

inline Floats bent(const Floats& x) {  // tanh
#if defined(__AVX512F__)
  const Floats square = x * x;
  const Floats small =
      x * (1.0f + square * (-0.333333333f + square * (0.133333333f - square * 0.0539682540f)));
  return square < splat(0.01f) ? small : 2.0f * squashed(2.0f * x) - 1.0f;
#else
  return hyperbolic_tangent(x);
#endif
}

}  // namespace lstm

// [W U] of [4 D, E] and [4 D, D], for the way forward: columns are gates, those of kLanes units side
// by side.
template <class Stored>
struct LstmAhead {
  LstmSize size;
  Block<Stored> packed;
  Block<float> bias;

  explicit LstmAhead(const LstmSize& size)
      : size(size),
        packed(reserve<Stored>(int64_t{kGates} * size.units * size.depth())),
        bias(reserve<float>(int64_t{kGates} * size.units)) {}

  // ``from``: W, U and two biases. A thread's share of the blocks.
  void pack(const float* const* from, Share blocks) {
    std::vector<Stored> rows(static_cast<size_t>(kLanes) * size.depth());
    for (int64_t block = blocks.begin; block < blocks.end; ++block)
      for (int gate = 0; gate < kGates; ++gate) {
        const int64_t first = int64_t{gate} * size.units + block * kLanes;  // of kLanes rows
        const int64_t column = block * kBlock + gate * kLanes;
        store(bias.get() + column, load(from[2] + first) + load(from[3] + first));
        for (int lane = 0; lane < kLanes; ++lane) {
          Stored* row = rows.data() + int64_t{lane} * size.depth();
          write(row, from[0] + (first + lane) * size.inputs, size.inputs);
          write(row + size.inputs, from[1] + (first + lane) * size.units, size.units);
        }
        turn(rows.data(), packed.get() + lstm::place<Stored>(column, 0, size.depth()));
      }
  }

 private:
  // kLanes rows to as many columns, a word (one float, two bfloat16) after the other.
  void turn(const Stored* rows, Stored* to) const {
    constexpr int kStep = 4 / sizeof(Stored);
    for (int k = 0; k < size.depth(); k += kStep)
      for (int lane = 0; lane < kLanes; ++lane)
        std::memcpy(to + int64_t{k} * kPanel + lane * kStep,
                    rows + int64_t{lane} * size.depth() + k, 4);
  }
};

// The same for the way back: columns are inputs and units.
template <class Stored>
struct LstmBack {
  LstmSize size;
  int panels;
  Block<Stored> packed;

  explicit LstmBack(const LstmSize& size)
      : size(size),
        panels((size.depth() + kPanel - 1) / kPanel),
        packed(allocate<Stored>(int64_t{panels} * kPanel * kGates * size.units)) {}

  // A thread's share of the blocks of kLanes rows.
  void pack(const float* const* from, Share blocks) {
    constexpr int kStep = 4 / sizeof(Stored);
    for (int64_t row = blocks.begin * kLanes; row < blocks.end * kLanes; row += kStep) {
      lay(from[0] + row * size.inputs, size.inputs, 0, row);
      lay(from[1] + row * size.units, size.units, size.inputs, row);
    }
  }

 private:
  // One row, or two, of ``count`` numbers, which are columns ``first`` ….
  void lay(const float* from, int count, int first, int64_t row) {
    int n = 0;
    const auto one = [&] {
      for (int k = 0; k < static_cast<int>(4 / sizeof(Stored)); ++k)
        write_one(at(first + n, row + k), from[int64_t{k} * count + n]);
      ++n;
    };
    while (n < count && (first + n) % kLanes) one();
    for (; n + kLanes <= count; n += kLanes) {
      if constexpr (sizeof(Stored) == 4) {
        store(at(first + n, row), load(from + n));
      } else {
        const Words low = __builtin_convertvector(to_bfloat16(load(from + n)), Words);
        const Words high = __builtin_convertvector(to_bfloat16(load(from + count + n)), Words);
        store(at(first + n, row), low | high << 16);
      }
    }
    while (n < count) one();
  }

  Stored* at(int64_t column, int64_t row) {
    return packed.get() + lstm::place<Stored>(column, row, int64_t{kGates} * size.units);
  }
};

// What one pass forward leaves for the way back.
template <class Stored>
struct LstmTape {
  Stored* inputs;   // [B, T, E + D]: x_t and h_{t-1}; the second half is written here
  Stored* gates;    // [B, T, D / kLanes, 4, kLanes], after their functions
  float* cells;     // [B, T, D]
  const float* first_cells;  // [B, D]
};

// Sentences ``rows`` from the first position to the last: h_t to ``outputs`` [B, T, D].
template <class Stored>
void lstm_forward(const LstmAhead<Stored>& weights, const LstmTape<Stored>& tape,
                  Stored* outputs, Share rows) {
  const LstmSize& size = weights.size;
  const int64_t T = size.length, D = size.units, depth = size.depth();
  alignas(64) float sums[kTileRows * kBlock];
  for (int64_t t = 0; t < T; ++t) {
    for (int block = 0; block < size.blocks(); ++block) {
      const Stored* panel = weights.packed.get() + int64_t{block} * kBlock * depth;
      const float* bias = weights.bias.get() + int64_t{block} * kBlock;
      for (int64_t row = rows.begin; row < rows.end; row += kTileRows) {
        const int count = static_cast<int>(std::min<int64_t>(kTileRows, rows.end - row));
        lstm::multiply(panel, kBlockPanels, static_cast<int>(depth),
                       tape.inputs + (row * T + t) * depth, T * depth, count, sums, kBlock);
        for (int r = 0; r < count; ++r) {
          const int64_t at = (row + r) * T + t, unit = int64_t{block} * kLanes;
          const float* z = sums + r * kBlock;
          const float* before =
              t ? tape.cells + (at - 1) * D + unit : tape.first_cells + (row + r) * D + unit;
          const Floats in = lstm::squashed(load(z) + load(bias));
          const Floats keep = lstm::squashed(load(z + kLanes) + load(bias + kLanes));
          const Floats fresh = lstm::bent(load(z + 2 * kLanes) + load(bias + 2 * kLanes));
          const Floats out = lstm::squashed(load(z + 3 * kLanes) + load(bias + 3 * kLanes));
          const Floats cell = keep * load(before) + in * fresh;
          const Floats hidden = out * lstm::bent(cell);
          Stored* gates = tape.gates + at * kGates * D + int64_t{block} * kBlock;
          write(gates, in);
          write(gates + kLanes, keep);
          write(gates + 2 * kLanes, fresh);
          write(gates + 3 * kLanes, out);
          write(tape.cells + at * D + unit, cell);
          write(outputs + at * D + unit, hidden);
          if (t + 1 < T) write(tape.inputs + (at + 1) * depth + size.inputs + unit, hidden);
        }
      }
    }
  }
}

// The same from the last position to the first. ``hidden`` and ``cell`` [B, D] come as the gradients
// of the states after the last position and go as those of the states before the first.
template <class Stored>
struct LstmGradients {
  const Stored* outputs;  // [B, T, D]
  Stored* gates;          // [B, T, 4 D]: of the sums, gates as torch orders them
  Stored* inputs;         // [B, T, E]
  float* hidden;
  float* cell;
  float* bias;  // [threads, 4 D], zero before
};

template <class Stored>
void lstm_backward(const LstmBack<Stored>& weights, const LstmTape<Stored>& tape,
                   const LstmGradients<Stored>& gradients, Share rows, int thread) {
  const LstmSize& size = weights.size;
  const int64_t T = size.length, D = size.units;
  const int depth = kGates * size.units;
  float* biases = gradients.bias + int64_t{thread} * depth;
  alignas(64) float sums[kTileRows * kPanel];
  for (int64_t t = T - 1; t >= 0; --t) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t at = row * T + t;
      for (int block = 0; block < size.blocks(); ++block) {
        const int64_t unit = int64_t{block} * kLanes;
        const Stored* gate = tape.gates + at * kGates * D + int64_t{block} * kBlock;
        const Floats in = read(gate), keep = read(gate + kLanes);
        const Floats fresh = read(gate + 2 * kLanes), out = read(gate + 3 * kLanes);
        const float* before = t ? tape.cells + (at - 1) * D + unit : tape.first_cells + row * D + unit;
        const Floats bent = lstm::bent(load(tape.cells + at * D + unit));
        float* hidden = gradients.hidden + row * D + unit;
        float* cell = gradients.cell + row * D + unit;
        const Floats h = load(hidden) + read(gradients.outputs + at * D + unit);
        const Floats c = load(cell) + h * out * (1.0f - bent * bent);
        Stored* to = gradients.gates + at * kGates * D + unit;
        const Floats slopes[kGates] = {
            c * fresh * in * (1.0f - in), c * load(before) * keep * (1.0f - keep),
            c * in * (1.0f - fresh * fresh), h * bent * out * (1.0f - out)};
        for (int q = 0; q < kGates; ++q) {
          write(to + q * D, slopes[q]);
          float* bias = biases + q * D + unit;
          store(bias, load(bias) + slopes[q]);
        }
        write(cell, c * keep);
      }
    }
    for (int panel = 0; panel < weights.panels; ++panel) {
      const Stored* packed = weights.packed.get() + int64_t{panel} * kPanel * depth;
      const int first = panel * kPanel, last = std::min(first + kPanel, size.depth());
      const int inputs = std::clamp(size.inputs - first, 0, kPanel);
      for (int64_t row = rows.begin; row < rows.end; row += kTileRows) {
        const int count = static_cast<int>(std::min<int64_t>(kTileRows, rows.end - row));
        lstm::multiply(packed, 1, depth, gradients.gates + (row * T + t) * depth, T * depth, count,
                       sums, kPanel);
        for (int r = 0; r < count; ++r) {
          const float* from = sums + r * kPanel;
          if (inputs > 0)
            write(gradients.inputs + ((row + r) * T + t) * size.inputs + first, from,
                  std::min(inputs, last - first));
          if (last - first > inputs)
            write(gradients.hidden + (row + r) * D + first + inputs - size.inputs, from + inputs,
                  last - first - inputs);
        }
      }
    }
  }
}

}  // namespace transduce
