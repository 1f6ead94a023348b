// A selective state space over whole sources in both directions (Mamba, Gu & Dao 2023).
#pragma once

#include "layers.h"

namespace transduce {

// v [B·S, E] of u [B·S, E]: each channel over its last K positions in the order in which it reads, the first
// half of the channels from a source's beginning, the second from its end; SiLU of that. Zero at padding.
struct SourceConvolution : Operation {
  int in, out, lengths;
  Numbers taps, biases;  // [K, E], [E]

  SourceConvolution(int in, int out, int lengths, Numbers taps, Numbers biases)
      : in(in), out(out), lengths(lengths), taps(taps), biases(biases) {}

  void fits(const Widths& widths) override {
    const int64_t width = widths[in];
    require(in != out && widths[out] == width && width % 2 == 0, Fault::kOperation);
    require(taps.count > 0 && taps.count % width == 0 && biases.count == width, Fault::kOperation);
    require(taps.holds(taps.count) && biases.holds(width), Fault::kNumbers);
    before_ = taps.count / width - 1;
  }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 0);
  }

  Order order() const override { return Order::kOnwards; }
  int64_t reach() const override { return before_; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    const Share rows = at.own_rows();
    const int width = at.buffer(out).width;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t s = row % at.call.source;
      const int64_t known = at.tensor<int64_t>(lengths)[row / at.call.source];
      float* to = at.buffer(out).row(row);
      if (s >= known) {
        std::fill_n(to, width, 0.0f);
        continue;
      }
      convolve(at, row, std::min(before_, s), -1, 0, width / 2, to);
      convolve(at, row, std::min(before_, known - 1 - s), 1, width / 2, width, to);
    }
  }

 private:
  // Channels from ``begin`` on over ``count`` positions that were read before, of which each is ``onwards``.
  void convolve(const Context& at, int64_t row, int64_t count, int onwards, int begin, int end,
                float* to) const {
    const Buffer& from = at.buffer(in);
    for (int i = begin; i < end; i += kLanes) {
      Floats total = load_some(biases.values + i, end - i);
      for (int64_t back = count; back >= 0; --back)
        total += load_some(taps.values + (before_ - back) * from.width + i, end - i) *
                 load_some(from.row(row + onwards * back) + i, end - i);
      store_some(to + i, total * sigmoid(total), end - i);
    }
  }

  int64_t before_ = 0;
};

// The buffers of a StateSpaceScan: v [B·S, E], the sums of Δ [B·S, E], B and C of each half of the channels
// [B·S, 4 N], what the way back gave [B·S, E / 2], the sums of the gate [B·S, E].
struct StateSpaceBuffers {
  int values, steps, selection, back, gate, out;
};

// h_t = exp(Δ_t A) ⊙ h_{t-1} + Δ_t v_t B_tᵀ, y_t = h_t C_t with Δ = softplus of its sums and A = -exp(decay).
//
// It is two operations. The first goes from the last rows to the first ones and gives y of the second half
// of the channels, [B·S, E / 2]. The second goes onwards, makes y of the first half, and of both
// (y + D ⊙ v) ⊙ SiLU(gate), zero at padding. The state of a direction is all that goes from row to row.
template <bool kBack>
struct StateSpaceScan : Operation {
  StateSpaceBuffers buffers;
  int lengths;
  Numbers decay, skip;  // [E, N], [E], the second for the way onwards

  StateSpaceScan(StateSpaceBuffers buffers, int lengths, Numbers decay, Numbers skip)
      : buffers(buffers), lengths(lengths), decay(decay), skip(skip) {}

  void fits(const Widths& widths) override {
    const int64_t width = widths[buffers.values], selected = widths[buffers.selection];
    half_ = static_cast<int>(width / 2);
    state_ = static_cast<int>(selected / 4);
    require(width % 2 == 0 && selected % 4 == 0, Fault::kOperation);
    require(widths[buffers.steps] == width && widths[buffers.back] == half_, Fault::kOperation);
    require(decay.count == width * state_ && decay.holds(decay.count), Fault::kOperation);
    if (!kBack) {
      require(widths[buffers.gate] == width && widths[buffers.out] == width, Fault::kOperation);
      require(skip.holds(width), Fault::kOperation);
      for (const int read : {buffers.values, buffers.steps, buffers.selection, buffers.back, buffers.gate})
        require(read != buffers.out, Fault::kOperation);
    }
    for (const int read : {buffers.values, buffers.steps, buffers.selection})
      require(read != buffers.back, Fault::kOperation);
    padded_ = round_up(half_, kLanes);
    rates_.assign(int64_t{state_} * padded_, 0.0f);  // [N, E / 2]
    for (int i = 0; i < half_; ++i)
      for (int n = 0; n < state_; ++n)
        rates_[int64_t{n} * padded_ + i] =
            -std::exp(decay.values[int64_t{i + (kBack ? half_ : 0)} * state_ + n]);
  }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 0);
  }

  void prepare(const Call&, Workspace& workspace) const override {
    Scratch::sized(workspace.carried[number], 2 * carried());
    for (Scratch& own : workspace.team) Scratch::sized(own.first, int64_t{state_} * kWay);
  }

  Order order() const override { return kBack ? Order::kBack : Order::kOnwards; }

  void touch(Touches& touches) const override {
    touches.reads(buffers.values);
    touches.reads(buffers.steps);
    touches.reads(buffers.selection);
    if (kBack) return touches.writes(buffers.back);
    touches.reads(buffers.back);
    touches.reads(buffers.gate);
    touches.writes(buffers.out);
  }

  // Threads share sentences and channels, single vectors of these where there are too few sentences.
  void run(const Context& at) const override {
    at.share_numbers(half_, kWay, kLanes, [&](int64_t sentence, int begin, int count) {
      read(at, sentence, begin, count);
    });
  }

 private:
  static constexpr int kWay = 4 * kLanes;

  int64_t carried() const { return int64_t{state_} * padded_; }

  void read(const Context& at, int64_t sentence, int begin, int count) const {
    const Range own = at.positions(sentence);
    const int64_t known = at.tensor<int64_t>(lengths)[sentence];
    const int64_t first = sentence * at.call.source, last = std::min(own.end, known);
    for (int64_t s = std::max(own.begin, last); s < own.end; ++s) clear(at, first + s, begin, count);
    if (own.begin >= last) return;
    float* states = at.scratch.first.data();
    if (kBack ? last < known : own.begin > 0)
      carry(at, begin, count, true);
    else
      std::fill_n(states, state_ * kWay, 0.0f);
    for (int64_t step = 0; step < last - own.begin; ++step) {
      const int64_t row = first + (kBack ? last - 1 - step : own.begin + step);
      for (int i = 0; i < count; i += kLanes) advance(at, row, begin + i, count - i, states + i);
      if (!kBack) finish(at, row, half_ + begin, count, at.buffer(buffers.back).row(row) + begin);
    }
    if (kBack ? own.begin > 0 : last < known) carry(at, begin, count, false);
  }

  void clear(const Context& at, int64_t row, int begin, int count) const {
    if (kBack) return void(std::fill_n(at.buffer(buffers.back).row(row) + begin, count, 0.0f));
    std::fill_n(at.buffer(buffers.out).row(row) + begin, count, 0.0f);
    std::fill_n(at.buffer(buffers.out).row(row) + half_ + begin, count, 0.0f);
  }

  // One position of a vector of channels.
  void advance(const Context& at, int64_t row, int begin, int count, float* states) const {
    const int channel = begin + (kBack ? half_ : 0);
    const Floats step = softplus(load_some(at.buffer(buffers.steps).row(row) + channel, count));
    const Floats fresh = step * load_some(at.buffer(buffers.values).row(row) + channel, count);
    const float* write = at.buffer(buffers.selection).row(row) + (kBack ? 2 * state_ : 0);
    const float* read = write + state_;
    Floats total{};
    for (int n = 0; n < state_; ++n) {
      float* one = states + n * kWay;
      const Floats decay = share_of_one(step * load(rates_.data() + int64_t{n} * padded_ + begin));
      const Floats state = decay * load(one) + fresh * write[n];
      store(one, state);
      total += state * read[n];
    }
    if (kBack) return store_some(at.buffer(buffers.back).row(row) + begin, total, count);
    float given[kLanes];
    store(given, total);
    finish(at, row, begin, std::min(count, kLanes), given);
  }

  // (y + D ⊙ v) ⊙ SiLU(gate) of channels from ``begin`` on.
  void finish(const Context& at, int64_t row, int begin, int count, const float* given) const {
    const float* values = at.buffer(buffers.values).row(row) + begin;
    const float* sums = at.buffer(buffers.gate).row(row) + begin;
    float* to = at.buffer(buffers.out).row(row) + begin;
    for (int i = 0; i < count; i += kLanes) {
      const int some = count - i;
      const Floats gate = load_some(sums + i, some);
      const Floats total =
          load_some(given + i, some) + load_some(skip.values + begin + i, some) * load_some(values + i, some);
      store_some(to + i, total * gate * sigmoid(gate), some);
    }
  }

  // Between what was at hand before and what comes next: one of two rooms is read, the other written, as
  // threads are not all at the same place.
  void carry(const Context& at, int begin, int count, bool read) const {
    float* room = at.carried[number].data() + (at.chunk + (read ? 0 : 1)) % 2 * carried() + begin;
    float* states = at.scratch.first.data();
    for (int n = 0; n < state_; ++n)
      for (int i = 0; i < count; i += kLanes) {
        float *mine = states + n * kWay + i, *there = room + int64_t{n} * padded_ + i;
        read ? store(mine, load(there)) : store(there, load(mine));
      }
  }

  int half_ = 0, state_ = 0, padded_ = 0;
  std::vector<float> rates_;
};

}  // namespace transduce
