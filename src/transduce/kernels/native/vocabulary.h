// From output vectors to all logits, or in one pass to the most probable tokens.
#pragma once

#include "program.h"

namespace transduce {

// Where ``candidates`` is 0, logits [N, V]; else log-probabilities [N, C] and tokens [N, C],
// without the logits ever being written to memory. A row whose logits are no numbers has no numbers
// as log-probabilities.
struct Vocabulary : Operation {
  int in, logits, scores, tokens, end_token;
  const Weight* weight;

  Vocabulary(int in, const Weight* weight, int logits, int scores, int tokens,
             int end_token)
      : in(in), logits(logits), scores(scores), tokens(tokens), end_token(end_token),
        weight(weight) {}

  const Weight* multiplied() const override { return weight; }

  void run(const Context& at) const override {
    const Buffer& from = at.buffer(in);
    const int rows = static_cast<int>(at.call.rows);
    at.convert(*weight, from);
    if (at.call.candidates == 0) return write_logits(at, from, rows);
    auto& best = begin(at.scratch, rows, static_cast<int>(at.call.candidates));
    multiply_share(*weight, from.values.get(), from.stride, at.converted, rows, at.thread,
                   at.threads, [&](int row, int count, int panel, const float* tile) {
                     for (int r = 0; r < count; ++r)
                       examine(best[row + r], tile + r * kPanel, panel);
                   });
    at.pool.barrier();
    merge(at);
  }

 private:
  static constexpr float kNothing = -std::numeric_limits<float>::infinity();

  void write_logits(const Context& at, const Buffer& from, int rows) const {
    float* to = at.tensor<float>(logits);
    const int64_t size = weight->columns;
    multiply_share(*weight, from.values.get(), from.stride, at.converted, rows, at.thread,
                   at.threads, [&](int row, int count, int panel, const float* tile) {
                     const int first = panel * kPanel;
                     const int width = std::min<int>(kPanel, static_cast<int>(size) - first);
                     for (int r = 0; r < count; ++r)
                       write(to + (row + r) * size + first, tile + r * kPanel, width);
                   });
  }

  static std::vector<Best>& begin(Scratch& scratch, int rows, int count) {
    const size_t all = static_cast<size_t>(rows) * count;
    scratch.values.assign(all, kNothing);
    scratch.tokens.assign(all, 0);
    scratch.best.resize(rows);
    for (int row = 0; row < rows; ++row) {
      const size_t first = static_cast<size_t>(row) * count;
      scratch.best[row] = Best{scratch.values.data() + first, scratch.tokens.data() + first, count,
                               kNothing, Floats{}};
    }
    return scratch.best;
  }

  void examine(Best& best, const float* logits_of_panel, int panel) const {
    Floats most = load(logits_of_panel);
    for (int v = 1; v < kPanelVectors; ++v) most = larger(most, load(logits_of_panel + v * kLanes));
    // The largest of all is at least the least of the best: where none is above that, nothing
    // changes but the sum.
    if (some_above(most, best.values[best.count - 1])) admit(best, most, logits_of_panel, panel);
    for (int v = 0; v < kPanelVectors; ++v)
      best.totals += share_of_one(load(logits_of_panel + v * kLanes) - best.top);
  }

  void admit(Best& best, const Floats& most, const float* logits_of_panel, int panel) const {
    const float top = largest(most);
    if (top > best.top) {
      best.totals *= std::exp(best.top - top);
      best.top = top;
    }
    const int first = panel * kPanel;
    const int width = std::min(kPanel, weight->columns - first);
    // PADDING, UNKNOWN and BEGIN stand before END in every vocabulary, and are never written.
    for (int i = std::max(0, end_token - first); i < width; ++i)
      best.take(logits_of_panel[i], first + i);
  }

  void merge(const Context& at) const {
    const int count = static_cast<int>(at.call.candidates);
    float* to_scores = at.tensor<float>(scores);
    int64_t* to_tokens = at.tensor<int64_t>(tokens);
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      Best best{to_scores + row * count, to_tokens + row * count, count, kNothing, Floats{}};
      std::fill_n(best.values, count, kNothing);
      std::fill_n(best.tokens, count, int64_t{0});
      // Threads hold rising ranges of tokens, so the first of equals is the smaller.
      for (int thread = 0; thread < at.threads; ++thread) {
        const Best& part = at.team[thread].best[row];
        for (int i = 0; i < count && part.values[i] > kNothing; ++i)
          best.take(part.values[i], part.tokens[i]);
        best.top = std::max(best.top, part.top);
      }
      float total = 0;
      for (int thread = 0; thread < at.threads; ++thread) {
        const Best& part = at.team[thread].best[row];
        // A thread without columns has seen nothing.
        const float seen = sum(part.totals);
        if (seen != 0) total += seen * std::exp(part.top - best.top);
      }
      const float normalizer = best.top + std::log(total);
      for (int i = 0; i < count; ++i) best.values[i] -= normalizer;
    }
  }
};

}  // namespace transduce
