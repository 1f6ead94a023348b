// How probable a CTC output finds it that a text begins so (Watanabe et al. 2017, algorithm 2), row by
// row and position by position: neither neighbours nor padding change a bit.
#pragma once

#include <cmath>

#include "call.h"
#include "pool.h"
#include "vectors.h"

namespace transduce {

constexpr double kNever = -1e10;  // the logarithm of what cannot be; differences of it stay numbers

inline double log_add(double a, double b) {
  return std::max(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}

inline float at_least_never(double value) { return static_cast<float>(std::max(value, kNever)); }

// Rows of a search over B sentences of S positions; row n belongs to sentence n / K.
struct CtcSize {
  int64_t sentences, rows, positions, symbols;  // B, N, S, V

  void check() const {
    for (const int64_t size : {sentences, rows, positions, symbols})
      require(size > 0 && size < std::numeric_limits<int32_t>::max(), Fault::kSizes);
    require(rows % sentences == 0, Fault::kSizes);
    product({rows, positions + 1, symbols, sizeof(double)});
  }

  int64_t sentence(int64_t row) const { return row / (rows / sentences); }
};

// What is known of each row: n and b [N, S + 1], the logarithms of what positions 1 … t wrote, the last
// of them a symbol or a blank; the logarithm of the prefix's probability [N], and its last symbol [N].
struct CtcRows {
  float *symbol, *blank, *prefix;
  int64_t* last;
};

// Σ_t e^(ahead[t] - top) p[t, c] of ``count`` positions for kLanes symbols c or fewer, to ``to``.
inline void ctc_sums(const float* weights, const float* powers, int64_t count, int64_t V, int lanes,
                     float* to) {
  Floats totals{};
  float padded[kLanes] = {};
  for (int64_t t = 0; t < count; ++t) {
    std::copy_n(powers + t * V, lanes, padded);  // there may be no more
    totals += weights[t] * load(padded);
  }
  std::memcpy(to, &totals, sizeof(float) * lanes);
}

// What each next symbol adds to the logarithm [N, V]; ``powers`` [B, S, V] are probabilities. PADDING
// is the blank, END what the text's end adds.
inline void ctc_scores(const CtcSize& size, const float* powers, const int64_t* lengths,
                       const CtcRows& rows, int64_t end, Share share, float* to) {
  const int64_t S = size.positions, V = size.symbols;
  std::vector<float> weights(S);
  const auto top_of = [&](const auto& ahead, int64_t count) {
    double top = kNever;
    for (int64_t t = 0; t < count; ++t) top = std::max(top, ahead(t));
    for (int64_t t = 0; t < count; ++t) weights[t] = static_cast<float>(std::exp(ahead(t) - top));
    return top;
  };
  for (int64_t row = share.begin; row < share.end; ++row) {
    const int64_t sentence = size.sentence(row), count = lengths[sentence];
    const float *n = rows.symbol + row * (S + 1), *b = rows.blank + row * (S + 1);
    const float* own = powers + sentence * S * V;
    const double before = rows.prefix[row];
    float* added = to + row * V;
    const auto either = [&](int64_t t) { return log_add(n[t], b[t]); };
    double top = top_of(either, count);
    for (int64_t c = 0; c < V; c += kLanes) {
      const int lanes = static_cast<int>(std::min<int64_t>(kLanes, V - c));
      ctc_sums(weights.data(), own + c, count, V, lanes, added + c);
    }
    for (int64_t c = 0; c < V; ++c) added[c] = at_least_never(top + std::log(double{added[c]}) - before);
    // A symbol that comes twice running needs a blank between.
    const int64_t last = rows.last[row];
    if (last != 0) {
      top = top_of([&](int64_t t) { return double{b[t]}; }, count);
      ctc_sums(weights.data(), own + last, count, V, 1, added + last);
      added[last] = at_least_never(top + std::log(double{added[last]}) - before);
    }
    added[0] = static_cast<float>(kNever);
    added[end] = at_least_never(either(count) - before);
  }
}

// Go on with one symbol a row, none of them END.
inline void ctc_advance(const CtcSize& size, const float* log_probs, const int64_t* lengths,
                        const int64_t* tokens, const CtcRows& before, const CtcRows& after,
                        Share share) {
  const int64_t S = size.positions, V = size.symbols;
  for (int64_t row = share.begin; row < share.end; ++row) {
    const int64_t sentence = size.sentence(row), count = lengths[sentence], token = tokens[row];
    const float* own = log_probs + sentence * S * V;
    const float *n = before.symbol + row * (S + 1), *b = before.blank + row * (S + 1);
    float *to_n = after.symbol + row * (S + 1), *to_b = after.blank + row * (S + 1);
    const bool repeated = token == before.last[row];
    double symbol = kNever, pause = kNever, top = kNever, total = 0;
    std::fill_n(to_n, S + 1, static_cast<float>(kNever));
    std::fill_n(to_b, S + 1, static_cast<float>(kNever));
    for (int64_t t = 0; t < count; ++t) {
      const double spoken = std::max(double{own[t * V + token]}, kNever);
      const double silent = std::max(double{own[t * V]}, kNever);
      const double entering = (repeated ? double{b[t]} : log_add(n[t], b[t])) + spoken;
      pause = log_add(pause, symbol) + silent;
      symbol = log_add(symbol + spoken, entering);
      to_b[t + 1] = at_least_never(pause);
      to_n[t + 1] = at_least_never(symbol);
      const double most = std::max(top, entering);
      total = total * std::exp(top - most) + std::exp(entering - most);
      top = most;
    }
    after.prefix[row] = at_least_never(top + std::log(total));
    after.last[row] = token;
  }
}

}  // namespace transduce
