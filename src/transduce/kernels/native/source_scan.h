// A minimal gated unit over whole sources in both directions (Feng et al. 2024).
#pragma once

#include "layers.h"

namespace transduce {

// From the sums [B·S, 2 W], h̃ = W_h x + b_h and W_z x + b_z, to h [B·S, W], zero at padding: with z =
// sigmoid of the second, h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t. The first half of the numbers reads a
// source from its beginning, the second from its end.
struct SourceScan : Operation {
  int sums, out, lengths;

  SourceScan(int sums, int out, int lengths) : sums(sums), out(out), lengths(lengths) {}

  void fits(const Widths& widths) override {
    require(sums != out && widths[sums] == 2 * widths[out], Fault::kOperation);
    require(widths[out] % 2 == 0, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.rows == call.sentences * call.source, Fault::kSizes);
    call.within<int64_t>(lengths, call.sentences, 0, call.source + 1);
  }

  void run(const Context& at) const override {
    const int width = at.buffer(out).width, half = width / 2;
    const int64_t groups = (half + kLanes - 1) / kLanes, each = 2 * groups;
    const Share ways = at.share(at.call.sentences * each);
    for (int64_t way = ways.begin; way < ways.end; ++way) {
      const int64_t sentence = way / each, group = way % groups;
      const bool reversed = way % each >= groups;
      const int begin = (reversed ? half : 0) + static_cast<int>(group) * kLanes;
      const int count = std::min<int>(kLanes, (reversed ? width : half) - begin);
      read(at, sentence, begin, count, reversed);
    }
  }

 private:
  void read(const Context& at, int64_t sentence, int begin, int count, bool reversed) const {
    const int width = at.buffer(out).width;
    const int64_t known = at.tensor<int64_t>(lengths)[sentence], first = sentence * at.call.source;
    Floats hidden{};
    for (int64_t step = 0; step < known; ++step) {
      const int64_t row = first + (reversed ? known - 1 - step : step);
      const float* fresh = at.buffer(sums).row(row) + begin;
      const Floats update = sigmoid(load_some(fresh + width, count));
      hidden += update * (load_some(fresh, count) - hidden);
      store_some(at.buffer(out).row(row) + begin, hidden, count);
    }
    for (int64_t row = first + known; row < first + at.call.source; ++row)
      store_some(at.buffer(out).row(row) + begin, Floats{}, count);
  }
};

}  // namespace transduce
