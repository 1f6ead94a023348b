// Convolutions as products: what each place looks at, side by side.
#pragma once

#include "program.h"

namespace transduce {

// How far a convolution looks along one axis, and how far its places are apart.
struct Reach {
  int kernel, stride;
};

// Columns [B, R, Y C], of which ``counts`` [B] are real, to rows [B·S, k k' C] of a buffer: place
// (t, u) of S = S' Y' holds columns s t - ⌊k / 2⌋ … and of each rows s' u - ⌊k' / 2⌋ …, zero where
// there are none. ``room`` [1] is R. Over time alone Y and k' are 1.
struct Windows : Operation {
  int frames, counts, room, out;
  Reach across, down;
  int height;

  Windows(int frames, int counts, int room, int out, Reach across, Reach down, int height)
      : frames(frames), counts(counts), room(room), out(out), across(across), down(down),
        height(height) {}

  void fits(const Widths& widths) override {
    for (const Reach& reach : {across, down})
      require(0 < reach.kernel && reach.kernel <= Widths::kMost && reach.stride > 0,
              Fault::kOperation);
    const int64_t looked_at = int64_t{across.kernel} * down.kernel;
    require(0 < height && height <= Widths::kMost, Fault::kOperation);
    require(widths[out] % looked_at == 0, Fault::kOperation);
    channels_ = widths[out] / looked_at;
    rows_ = (height - 1) / down.stride + 1;
  }

  void admit(const Call& call) const override {
    require(call.rows == call.sentences * call.source && call.source % rows_ == 0, Fault::kSizes);
    call.within<int64_t>(room, 1, 0, std::numeric_limits<int32_t>::max());
    const int64_t R = *call.there<int64_t>(room);
    call.room(frames, {call.sentences, R, height, channels_}, sizeof(float));
    call.within<int64_t>(counts, call.sentences, 0, R + 1);
  }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override { touches.writes(out); }

  void run(const Context& at) const override {
    const int64_t S = at.call.source, column = height * channels_;
    const int64_t R = at.tensor<int64_t>(room)[0];
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t sentence = row / S, place = row % S;
      const int64_t count = at.tensor<int64_t>(counts)[sentence];
      const int64_t first = place / rows_ * across.stride - across.kernel / 2;
      const int64_t top = place % rows_ * down.stride - down.kernel / 2;
      const float* from = at.tensor<float>(frames) + sentence * R * column;
      float* to = at.buffer(out).row(row);
      for (int j = 0; j < across.kernel; ++j, to += down.kernel * channels_)
        if (first + j >= 0 && first + j < count)
          look(from + (first + j) * column, top, to);
        else
          clear(to, down.kernel);
    }
  }

 private:
  // Rows ``top`` … of one column.
  void look(const float* column, int64_t top, float* to) const {
    const int64_t before = std::clamp<int64_t>(-top, 0, down.kernel);
    const int64_t end = std::clamp<int64_t>(height - top, before, down.kernel);
    clear(to, before);
    std::copy_n(column + (top + before) * channels_, (end - before) * channels_,
                to + before * channels_);
    clear(to + end * channels_, down.kernel - end);
  }

  void clear(float* to, int64_t rows) const { std::fill_n(to, rows * channels_, 0.0f); }

  int64_t channels_ = 0, rows_ = 1;
};

}  // namespace transduce
