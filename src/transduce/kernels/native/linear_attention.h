// Attention by sums of keys and values (Katharopoulos et al. 2020).
#pragma once

#include "layers.h"

namespace transduce {

// Numbers of the sums of a pair of keys and values: Σ_j φ(k_j) v_jᵀ [d, d] and Σ_j φ(k_j) [d].
inline int64_t sums_of_pair(int64_t width) { return width * (width + 1); }

// From φ(k) and v, each [B·S, G d], to those sums over the real rows of each source, in a buffer with a row
// for all of its positions. Added up one by one, so that neither padding nor neighbours change a bit of it.
struct KeyValueSums : Operation {
  int keys, values, out, lengths, pairs, width;

  KeyValueSums(int keys, int values, int out, int lengths, int pairs, int width)
      : keys(keys), values(values), out(out), lengths(lengths), pairs(pairs), width(width) {}

  void fits(const Widths& widths) override {
    require(pairs > 0 && width > 0 && width <= Widths::kMost, Fault::kOperation);
    require(widths[keys] == product({pairs, width}) && widths[values] == widths[keys], Fault::kOperation);
    require(widths[out] == product({pairs, sums_of_pair(width)}), Fault::kOperation);
    require(widths.block(keys) == 1 && widths.block(values) == 1, Fault::kOperation);
    block_ = widths.block(out);
    require(block_ > 1, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.source <= block_, Fault::kSizes);
    call.of_sources(lengths, 1);
  }

  Order order() const override { return Order::kOnwards; }
  bool across() const override { return true; }
  bool closes() const override { return true; }  // whoever reads the sums wants all of them

  void touch(Touches& touches) const override {
    touches.reads(keys);
    touches.reads(values);
    touches.changes(out);
  }

  // Threads share sources, pairs and a few numbers of the keys at a time.
  void run(const Context& at) const override {
    const Range sentences = at.sentences();
    const int64_t each = (width + kTogether - 1) / kTogether;
    const Share ways = at.share(sentences.size() * pairs * each);
    for (int64_t way = ways.begin; way < ways.end; ++way) {
      const int begin = static_cast<int>(way % each) * kTogether;
      add_up(at, sentences.begin + way / each / pairs, static_cast<int>(way / each % pairs), begin,
             std::min(kTogether, width - begin));
    }
  }

 private:
  static constexpr int kTogether = 4;

  void add_up(const Context& at, int64_t sentence, int pair, int begin, int count) const {
    const Range own = at.positions(sentence);
    const int64_t first = sentence * at.call.source;
    const int64_t last = std::min(own.end, at.tensor<int64_t>(lengths)[sentence]);
    float* const sums = at.buffer(out).row(sentence) + pair * sums_of_pair(width);
    float* const totals = sums + int64_t{width} * width;
    if (own.begin == 0) {
      std::fill_n(sums + int64_t{begin} * width, int64_t{count} * width, 0.0f);
      std::fill_n(totals + begin, count, 0.0f);
    }
    const int column = pair * width;
    for (int64_t s = own.begin; s < last; ++s) {
      const float* key = at.buffer(keys).row(first + s) + column + begin;
      for (int i = 0; i < count; ++i) totals[begin + i] += key[i];
    }
    for (int v = 0; v < width; v += kLanes) {
      const int some = width - v;
      Floats own_sums[kTogether];
      for (int i = 0; i < count; ++i) own_sums[i] = load_some(sums + int64_t{begin + i} * width + v, some);
      for (int64_t s = own.begin; s < last; ++s) {
        const float* key = at.buffer(keys).row(first + s) + column + begin;
        const Floats value = load_some(at.buffer(values).row(first + s) + column + v, some);
        for (int i = 0; i < count; ++i) own_sums[i] += key[i] * value;
      }
      for (int i = 0; i < count; ++i) store_some(sums + int64_t{begin + i} * width + v, own_sums[i], some);
    }
  }

  int64_t block_ = 0;
};

// out [B·S, H d] = φ(q)ᵀ Σ φ(k) vᵀ / φ(q)ᵀ Σ φ(k) of each head, from φ(q) [B·S, H d] and the sums; zero at
// padding. Heads h·H/G … share a pair.
struct LinearAttention : Operation {
  int queries, sums, out, lengths, heads, pairs, width;

  LinearAttention(int queries, int sums, int out, int lengths, int heads, int pairs, int width)
      : queries(queries), sums(sums), out(out), lengths(lengths), heads(heads), pairs(pairs), width(width) {}

  void fits(const Widths& widths) override {
    require(pairs > 0 && width > 0 && width <= Widths::kMost, Fault::kOperation);
    require(heads > 0 && heads % pairs == 0 && queries != out, Fault::kOperation);
    require(widths[queries] == product({heads, width}) && widths[out] == widths[queries],
            Fault::kOperation);
    require(widths[sums] == product({pairs, sums_of_pair(width)}), Fault::kOperation);
    require(widths.block(queries) == 1 && widths.block(out) == 1, Fault::kOperation);
    block_ = widths.block(sums);
    require(block_ > 1, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.source <= block_, Fault::kSizes);
    call.of_sources(lengths, 1);
  }

  Order order() const override { return Order::kAny; }
  bool across() const override { return true; }

  void touch(Touches& touches) const override {
    touches.reads(queries);
    touches.reads(sums);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    const Share own = at.own_rows();
    for (int64_t row = own.begin; row < own.end;) {
      const int64_t sentence = row / at.call.source, first = sentence * at.call.source;
      const int64_t end = std::min(own.end, first + at.call.source);
      const int64_t known = std::min(end, first + at.tensor<int64_t>(lengths)[sentence]);
      while (row < known) {
        const int count = static_cast<int>(std::min<int64_t>(kTogether, known - row));
        attend(at, sentence, row, count);
        row += count;
      }
      for (; row < end; ++row) std::fill_n(at.buffer(out).row(row), at.buffer(out).width, 0.0f);
    }
  }

 private:
  static constexpr int kTogether = 4;
  static constexpr float kLeast = 1e-30f;  // of a sum of weights: nothing is divided by zero

  // A few rows of one source, which share each load of the sums.
  void attend(const Context& at, int64_t sentence, int64_t row, int count) const {
    for (int head = 0; head < heads; ++head) {
      const float* from = at.buffer(sums).row(sentence) + head / (heads / pairs) * sums_of_pair(width);
      const float* totals = from + int64_t{width} * width;
      const float* asked[kTogether];
      float scale[kTogether];
      for (int r = 0; r < kTogether; ++r) {
        asked[r] = at.buffer(queries).row(row + std::min(r, count - 1)) + head * width;
        scale[r] = 1.0f / std::max(dot(asked[r], totals, width), kLeast);
      }
      for (int v = 0; v < width; v += kLanes) {
        Floats all[kTogether] = {};
        for (int i = 0; i < width; ++i) {
          const Floats sum = load_some(from + int64_t{i} * width + v, width - v);
          for (int r = 0; r < kTogether; ++r) all[r] += asked[r][i] * sum;
        }
        for (int r = 0; r < count; ++r)
          store_some(at.buffer(out).row(row + r) + head * width + v, all[r] * scale[r], width - v);
      }
    }
  }

  int64_t block_ = 0;
};

}  // namespace transduce
