// From output vectors to all logits, or in one pass to the most probable tokens.
#pragma once

#include "program.h"

namespace transduce {

// Row n's best C tokens so far, best first (of equals the smaller token), and what the
// log-probabilities need: the largest logit and Σ e^(logit - largest).
struct Best {
  float* values;
  int64_t* tokens;
  int count;
  float top, total;

  void take(float value, int64_t token) {
    int place = count - 1;
    if (!(value > values[place])) return;
    for (; place > 0 && value > values[place - 1]; --place) {
      values[place] = values[place - 1];
      tokens[place] = tokens[place - 1];
    }
    values[place] = value;
    tokens[place] = token;
  }
};

// Where ``candidates`` is 0, logits [N, V]; else log-probabilities [N, C] and tokens [N, C],
// without the logits ever being written to memory. A row whose logits are no numbers has no numbers
// as log-probabilities.
struct Vocabulary : Operation {
  int in, logits, scores, tokens, end_token;
  const Weight* weight;
  Activations converted;
  struct Part {
    std::vector<float> values;
    std::vector<int64_t> tokens;
    std::vector<Best> rows;
  };
  std::vector<Part> parts;

  Vocabulary(int in, const Weight* weight, int logits, int scores, int tokens,
             int end_token)
      : in(in), logits(logits), scores(scores), tokens(tokens), end_token(end_token),
        weight(weight) {}

  void prepare(const Call& call) override {
    converted.prepare(weight->number, static_cast<int>(call.rows), weight->depth);
    constexpr size_t kMostThreads = 256;
    if (parts.empty()) parts.resize(kMostThreads);
  }

  void run(const Context& at) override {
    const Buffer& from = at.buffer(in);
    const int rows = static_cast<int>(at.call.rows);
    if (weight->number != Number::kFloat32) {
      converted.convert(weight->number, from.values.get(), from.stride, weight->depth,
                        at.share(rows));
      at.pool.barrier();
    }
    if (at.call.candidates == 0) return write_logits(at, from, rows);
    begin(parts[at.thread], rows, static_cast<int>(at.call.candidates));
    auto& best = parts[at.thread].rows;
    multiply_share(*weight, from.values.get(), from.stride, converted, rows, at.thread, at.threads,
                   [&](int row, int count, int panel, const float* tile) {
                     for (int r = 0; r < count; ++r)
                       examine(best[row + r], tile + r * kPanel, panel);
                   });
    at.pool.barrier();
    merge(at);
  }

 private:
  static constexpr float kNothing = -std::numeric_limits<float>::infinity();

  void write_logits(const Context& at, const Buffer& from, int rows) {
    float* to = at.tensor<float>(logits);
    const int64_t size = weight->columns;
    multiply_share(*weight, from.values.get(), from.stride, converted, rows, at.thread, at.threads,
                   [&](int row, int count, int panel, const float* tile) {
                     const int first = panel * kPanel;
                     const int width = std::min<int>(kPanel, static_cast<int>(size) - first);
                     for (int r = 0; r < count; ++r)
                       write(to + (row + r) * size + first, tile + r * kPanel, width);
                   });
  }

  static void begin(Part& part, int rows, int count) {
    part.values.assign(static_cast<size_t>(rows) * count, kNothing);
    part.tokens.assign(static_cast<size_t>(rows) * count, 0);
    part.rows.resize(rows);
    for (int row = 0; row < rows; ++row)
      part.rows[row] = Best{part.values.data() + static_cast<size_t>(row) * count,
                            part.tokens.data() + static_cast<size_t>(row) * count, count, kNothing,
                            0.0f};
  }

  void examine(Best& best, const float* logits_of_panel, int panel) const {
    Floats most = load(logits_of_panel);
    for (int v = 1; v < kPanelVectors; ++v) most = larger(most, load(logits_of_panel + v * kLanes));
    const float top = largest(most);
    if (top > best.top) {
      best.total = best.total == 0.0f ? 0.0f : best.total * std::exp(best.top - top);
      best.top = top;
    }
    Floats total{};
    for (int v = 0; v < kPanelVectors; ++v)
      total += exponential(load(logits_of_panel + v * kLanes) - best.top);
    best.total += sum(total);
    const int first = panel * kPanel;
    if (!(top > best.values[best.count - 1])) return;
    const int width = std::min(kPanel, weight->columns - first);
    // PADDING, UNKNOWN and BEGIN stand before END in every vocabulary, and are never written.
    for (int i = std::max(0, end_token - first); i < width; ++i)
      best.take(logits_of_panel[i], first + i);
  }

  void merge(const Context& at) {
    const int count = static_cast<int>(at.call.candidates);
    float* to_scores = at.tensor<float>(scores);
    int64_t* to_tokens = at.tensor<int64_t>(tokens);
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      Best best{to_scores + row * count, to_tokens + row * count, count, kNothing, 0.0f};
      std::fill_n(best.values, count, kNothing);
      std::fill_n(best.tokens, count, int64_t{0});
      // Threads hold rising ranges of tokens, so the first of equals is the smaller.
      for (int thread = 0; thread < at.threads; ++thread) {
        const Best& part = parts[thread].rows[row];
        for (int i = 0; i < count && part.values[i] > kNothing; ++i)
          best.take(part.values[i], part.tokens[i]);
        best.top = std::max(best.top, part.top);
      }
      for (int thread = 0; thread < at.threads; ++thread) {
        const Best& part = parts[thread].rows[row];
        if (part.total != 0) best.total += part.total * std::exp(part.top - best.top);
      }
      const float normalizer = best.top + std::log(best.total);
      for (int i = 0; i < count; ++i) best.values[i] -= normalizer;
    }
  }
};

}  // namespace transduce
