// The simple recurrent unit of a decoder (Kim et al. 2019, section 3.1), with its ReLU or without:
// then it is the minimal gated unit (Feng et al. 2024), f = 1 - z.
#pragma once

#include "layers.h"

namespace transduce {

// One step of every row from its sums [N, 2 W], W x and W_f x + b_f: with f = sigmoid of the second,
// c = f ⊙ c + (1 - f) ⊙ W x in place and out += c, of ``rectified`` ReLU(c). ``cells`` is a tensor [N, stride], the
// row's c at ``offset``.
struct SimpleRecurrence : Operation {
  int sums, out, cells, offset, stride;
  bool rectified;

  SimpleRecurrence(int sums, int out, int cells, int offset, int stride, bool rectified)
      : sums(sums), out(out), cells(cells), offset(offset), stride(stride), rectified(rectified) {}

  void fits(const Widths& widths) override {
    require(sums != out && widths[sums] == 2 * widths[out], Fault::kOperation);
    require(offset >= 0 && offset + widths[out] <= stride, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    call.room(cells, {call.rows, stride}, sizeof(float));
  }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override {
    touches.reads(sums);
    touches.changes(out);
  }

  void run(const Context& at) const override {
    const int width = at.buffer(out).width;
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float *values = at.buffer(sums).row(row), *forget = values + width;
      float* to = at.buffer(out).row(row);
      float* cell = at.tensor<float>(cells) + row * stride + offset;
      for (int i = 0; i < width; i += kLanes) {
        const int count = width - i;
        const Floats fresh = load_some(values + i, count);
        const Floats keep = sigmoid(load_some(forget + i, count));
        const Floats value = fresh + keep * (load_some(cell + i, count) - fresh);
        store_some(cell + i, value, count);
        // what is no number stays none, rectified or not
        const Floats given = rectified ? (value < Floats{} ? Floats{} : value) : value;
        store_some(to + i, load_some(to + i, count) + given, count);
      }
    }
  }
};

}  // namespace transduce
