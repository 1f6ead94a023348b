// Convolution over time as a product: what each place looks at, side by side.
#pragma once

#include "program.h"

namespace transduce {

// Frames [B, R, C], of which ``counts`` [B] are real, to rows [B·S, k C] of a buffer: place t holds
// frames s t - ⌊k / 2⌋ …, zero where there are none. ``room`` [1] is R.
struct Windows : Operation {
  int frames, counts, room, out, kernel, stride;

  Windows(int frames, int counts, int room, int out, int kernel, int stride)
      : frames(frames), counts(counts), room(room), out(out), kernel(kernel), stride(stride) {}

  void run(const Context& at) const override {
    const Buffer& to = at.buffer(out);
    const int channels = to.width / kernel;
    const int64_t S = at.call.source, R = at.tensor<int64_t>(room)[0];
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t sentence = row / S, first = row % S * stride - kernel / 2;
      const int64_t count = at.tensor<int64_t>(counts)[sentence];
      const float* from = at.tensor<float>(frames) + sentence * R * channels;
      for (int j = 0; j < kernel; ++j) {
        float* own = to.row(row) + j * channels;
        if (first + j >= 0 && first + j < count)
          std::memcpy(own, from + (first + j) * channels, sizeof(float) * channels);
        else
          std::memset(own, 0, sizeof(float) * channels);
      }
    }
  }
};

}  // namespace transduce
