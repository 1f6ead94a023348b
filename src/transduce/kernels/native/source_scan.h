// A minimal gated unit over whole sources in both directions (Feng et al. 2024).
#pragma once

#include "layers.h"
#include "scan.h"

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
    const int64_t each = (half + kWay - 1) / kWay;  // of one direction
    const Share ways = at.share(at.call.sentences * 2 * each);
    for (int64_t way = ways.begin; way < ways.end; ++way) {
      const bool reversed = way % (2 * each) >= each;
      const int begin = (reversed ? half : 0) + static_cast<int>(way % each) * kWay;
      const int count = std::min<int>(kWay, (reversed ? width : half) - begin);
      read(at, way / (2 * each), begin, count, reversed);
    }
  }

 private:
  void read(const Context& at, int64_t sentence, int begin, int count, bool reversed) const {
    const int width = at.buffer(out).width;
    const int64_t known = at.tensor<int64_t>(lengths)[sentence], first = sentence * at.call.source;
    Floats hidden[kWay / kLanes] = {};
    for (int64_t step = 0; step < known; ++step) {
      const int64_t row = first + (reversed ? known - 1 - step : step);
      const float* fresh = at.buffer(sums).row(row) + begin;
      float* to = at.buffer(out).row(row) + begin;
      for (int i = 0; i < count; i += kLanes) {
        Floats& own = hidden[i / kLanes];
        const Floats update = sigmoid(load_some(fresh + width + i, count - i));
        own += update * (load_some(fresh + i, count - i) - own);
        store_some(to + i, own, count - i);
      }
    }
    for (int64_t row = first + known; row < first + at.call.source; ++row)
      std::fill_n(at.buffer(out).row(row) + begin, count, 0.0f);
  }
};

}  // namespace transduce
