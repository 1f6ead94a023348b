// A minimal gated unit over whole sources in both directions (Feng et al. 2024).
#pragma once

#include "layers.h"
#include "scan.h"

namespace transduce {

// From the sums [B·S, 2 W], h̃ = W_h x + b_h and W_z x + b_z, to h [B·S, W], zero at padding: with z =
// sigmoid of the second, h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t. The first half of the numbers reads a
// source from its beginning, the second from its end.
//
// It is two operations. The first goes from the last rows to the first ones: it scans the second half of
// the numbers, and keeps [B·S, 3 W / 2]: of the first half both sums, and h of the second. The second
// goes onwards over that. So no more than this is written for all rows; what is around it takes some rows
// at a time.
template <bool kBack>
struct DirectedScan : Operation {
  int in, out, lengths;  // sums and kept, or kept and the states

  DirectedScan(int in, int out, int lengths) : in(in), out(out), lengths(lengths) {}

  void fits(const Widths& widths) override {
    half_ = static_cast<int>(widths[kBack ? in : out] / (kBack ? 4 : 2));
    require(in != out && widths[in] == (kBack ? 4 : 3) * int64_t{half_}, Fault::kOperation);
    require(widths[out] == (kBack ? 3 : 2) * int64_t{half_}, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 0);
  }

  void prepare(const Call&, Workspace& workspace) const override {
    Scratch::sized(workspace.carried[number], 2 * int64_t{half_});
  }

  Order order() const override { return kBack ? Order::kBack : Order::kOnwards; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    touches.writes(out);
  }

  // Threads share sentences and numbers, single vectors of these where there are too few sentences.
  void run(const Context& at) const override {
    at.share_numbers(half_, kWay, kLanes, [&](int64_t sentence, int begin, int count) {
      read(at, sentence, begin, count);
    });
  }

 private:
  const float* values(const float* from) const { return kBack ? from + half_ : from; }
  const float* updates(const float* from) const { return from + (kBack ? 3 : 1) * half_; }
  float* states(float* to) const { return kBack ? to + 2 * half_ : to; }

  // What the other operation is to have of a row, or has made of it.
  void hand_over(const float* from, float* to, int begin, int count) const {
    if (kBack) write(to + begin, from + begin, count);
    write(to + half_ + begin, from + 2 * half_ + begin, count);
  }

  void read(const Context& at, int64_t sentence, int begin, int count) const {
    const Range own = at.positions(sentence);
    const int64_t known = at.tensor<int64_t>(lengths)[sentence];
    const int64_t first = sentence * at.call.source, last = std::min(own.end, known);
    for (int64_t s = std::max(own.begin, last); s < own.end; ++s) {
      float* to = at.buffer(out).row(first + s);
      std::fill_n(states(to) + begin, count, 0.0f);
      hand_over(at.buffer(in).row(first + s), to, begin, count);
    }
    if (own.begin >= last) return;
    Floats hidden[kWay / kLanes] = {};
    if (kBack ? last < known : own.begin > 0) carry(at, hidden, begin, count, true);
    for (int64_t step = 0; step < last - own.begin; ++step) {
      const int64_t row = first + (kBack ? last - 1 - step : own.begin + step);
      const float* from = at.buffer(in).row(row);
      float* to = at.buffer(out).row(row);
      for (int i = 0; i < count; i += kLanes) {
        Floats& one = hidden[i / kLanes];
        const Floats update = sigmoid(load_some(updates(from) + begin + i, count - i));
        one += update * (load_some(values(from) + begin + i, count - i) - one);
        store_some(states(to) + begin + i, one, count - i);
      }
      hand_over(from, to, begin, count);
    }
    if (kBack ? own.begin > 0 : last < known) carry(at, hidden, begin, count, false);
  }

  // Between what was at hand before and what comes next: one of two rooms is read, the other written, as
  // threads are not all at the same place.
  void carry(const Context& at, Floats* hidden, int begin, int count, bool read) const {
    float* room = at.carried[number].data() + (at.chunk + (read ? 0 : 1)) % 2 * half_ + begin;
    for (int i = 0; i < count; i += kLanes)
      if (read)
        hidden[i / kLanes] = load_some(room + i, count - i);
      else
        store_some(room + i, hidden[i / kLanes], count - i);
  }

  int half_ = 0;
};

}  // namespace transduce
