// Copying from the source (See et al. 2017): the vocabulary's logits mixed with the attention.
#pragma once

#include "program.h"

namespace transduce {

// Logits z [N, V], in place, to those of p · softmax(z) + (1 - p) · attention, all divided by p: where
// the source has a symbol w, log(e^z_w + Σ e^z · (1 - p) / p · Σ_{i: x_i = w} a_i). The buffer ``gate``
// [N, 1] holds log(p / (1 - p)), ``attention`` is [N, S], ``symbols`` [B, S].
struct Copy : Operation {
  int gate, attention, symbols, lengths, logits, vocabulary;

  Copy(int gate, int attention, int symbols, int lengths, int logits, int vocabulary)
      : gate(gate), attention(attention), symbols(symbols), lengths(lengths), logits(logits),
        vocabulary(vocabulary) {}

  void fits(const Widths& widths) override {
    require(widths[gate] == 1 && vocabulary > 0, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.candidates == 0, Fault::kSizes);
    call.room(logits, {call.rows, vocabulary}, sizeof(float));
    call.room(attention, {call.rows, call.source}, sizeof(float));
    call.within<int64_t>(lengths, call.sentences, 0, call.source + 1);
    call.within<int64_t>(symbols, call.sentences * call.source, 0, vocabulary);
  }

  void prepare(const Call&, Workspace& workspace) const override {
    for (Scratch& own : workspace.team) Scratch::sized(own.shares, vocabulary);
  }

  void touch(Touches& touches) const override { touches.reads(gate); }

  void run(const Context& at) const override {
    const int64_t S = at.call.source, K = at.call.rows / at.call.sentences;
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row)
      mix(at.tensor<float>(logits) + row * vocabulary, at.tensor<float>(attention) + row * S,
          at.tensor<int64_t>(symbols) + row / K * S, at.tensor<int64_t>(lengths)[row / K],
          *at.buffer(gate).row(row), at.scratch.shares.data());
  }

 private:
  // ``shares`` [V] is zero before and after.
  void mix(float* z, const float* weights, const int64_t* source, int64_t count, float gate,
           float* shares) const {
    const double odds = log_sum(z) - double{gate};
    for (int64_t i = 0; i < count; ++i) shares[source[i]] += weights[i];
    for (int64_t i = 0; i < count; ++i) {
      float& share = shares[source[i]];
      if (share == 0) continue;  // nothing, or mixed in already
      const double copied = std::log(double{share}) + odds, own = z[source[i]];
      z[source[i]] = static_cast<float>(std::max(own, copied) +
                                        std::log1p(std::exp(-std::fabs(own - copied))));
      share = 0;
    }
  }

  double log_sum(const float* z) const {
    const float top = *std::max_element(z, z + vocabulary);
    Floats totals{};
    int i = 0;
    for (; i + kLanes <= vocabulary; i += kLanes) totals += share_of_one(load(z + i) - top);
    double total = sum(totals);
    for (; i < vocabulary; ++i) total += std::exp(double{z[i]} - top);
    return top + std::log(total);
  }
};

}  // namespace transduce
