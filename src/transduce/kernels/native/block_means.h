// Summaries of the blocks of a source, for attention that sees them all (Guo et al. 2022).
#pragma once

#include "layers.h"

namespace transduce {

// The mean of the real rows [B·S, W] of each block of positions to rows [B·⌈S / block⌉, W], zero where there
// are none; added up one by one, so that neither padding nor neighbours change a bit of it.
struct BlockMeans : Operation {
  int in, out, lengths;

  BlockMeans(int in, int out, int lengths) : in(in), out(out), lengths(lengths) {}

  void fits(const Widths& widths) override {
    require(in != out && widths[in] == widths[out], Fault::kOperation);
    require(widths.block(in) == 1 && widths.block(out) > 1, Fault::kOperation);
    block_ = widths.block(out);
  }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 1);
  }

  Order order() const override { return Order::kOnwards; }
  bool across() const override { return true; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    touches.changes(out);
  }

  void run(const Context& at) const override {
    const int64_t S = at.call.source, each = (S + block_ - 1) / block_;
    const Share columns = at.share(at.buffer(in).width);
    const int width = static_cast<int>(columns.end - columns.begin);
    for (int64_t row = at.rows.begin; row < at.rows.end; ++row) {
      const int64_t b = row / S, s = row % S, first = s / block_ * block_;
      const int64_t count = at.tensor<int64_t>(lengths)[b];
      float* to = at.buffer(out).row(b * each + s / block_) + columns.begin;
      if (s == first) std::fill_n(to, width, 0.0f);
      if (s >= count) continue;
      add_scaled(to, at.buffer(in).row(row) + columns.begin, 1.0f, width);
      const int64_t end = std::min<int64_t>(first + block_, count);
      if (s + 1 < end) continue;
      for (int i = 0; i < width; ++i) to[i] /= static_cast<float>(end - first);
    }
  }

 private:
  int64_t block_ = 0;
};

}  // namespace transduce
