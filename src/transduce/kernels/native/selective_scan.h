// The scan of a selective state space (Gu & Dao 2023, S6) over a batch, forward and back, for training.
#pragma once

#include "layers.h"

namespace transduce {

// B sources of S positions, E channels in two halves, N numbers of state in each channel. The first half
// reads from the first position on, the second from the last one back. A vector of channels goes its own
// way through time, so that threads share these and sources.
struct SelectiveScanSize {
  int64_t rows, length;
  int width, state;

  static constexpr int64_t kChunk = 32;  // positions of which one state is kept for the way back

  int half() const { return width / 2; }
  int64_t groups() const { return (half() + kLanes - 1) / kLanes; }
  int64_t ways() const { return rows * 2 * groups(); }
  int64_t chunks() const { return (length + kChunk - 1) / kChunk; }
  int padded() const { return round_up(state, kLanes); }
  // Floats that a thread works in: forward A and h; back, besides, the gradient of h, that of A, decays
  // and states of a chunk, and what is summed up over channels.
  int64_t room() const { return 2 * int64_t{state} * kLanes; }
  int64_t room_back() const {
    return (4 * int64_t{state} + 2 * kChunk * state + 2 * int64_t{padded()}) * kLanes;
  }
};

struct SelectiveScanTape {
  const float *values, *steps, *rates, *selection;
};

// Where a vector of channels reads.
struct SelectiveWay {
  int64_t source, group;
  bool back;
  int begin, count;  // channels

  SelectiveWay(const SelectiveScanSize& size, int64_t way)
      : source(way / (2 * size.groups())), group(way % size.groups()),
        back(way / size.groups() % 2 != 0),
        begin(static_cast<int>(group * kLanes) + (back ? size.half() : 0)),
        count(std::min<int>(kLanes, size.half() - static_cast<int>(group * kLanes))) {}

  // The row of the t-th position in the order of reading.
  int64_t row(const SelectiveScanSize& size, int64_t t) const {
    return source * size.length + (back ? size.length - 1 - t : t);
  }
  const float* selected(const SelectiveScanSize& size, const float* selection, int64_t row) const {
    return selection + row * 4 * size.state + (back ? 2 * size.state : 0);
  }
  int64_t kept(const SelectiveScanSize& size, int64_t chunk, int n) const {
    return ((source * size.chunks() + chunk) * size.state + n) * size.width + begin;
  }
};

inline void load_rates(const SelectiveScanSize& size, const SelectiveWay& way, const float* rates,
                       float* to) {
  for (int n = 0; n < size.state; ++n)
    store(to + n * kLanes, load_some(rates + int64_t{n} * size.width + way.begin, way.count));
}

inline void selective_scan(const SelectiveScanSize& size, const Share& ways,
                           const SelectiveScanTape& tape, float* kept, float* outputs, float* room) {
  float *rates = room, *states = room + size.state * kLanes;
  for (int64_t number = ways.begin; number < ways.end; ++number) {
    const SelectiveWay way(size, number);
    load_rates(size, way, tape.rates, rates);
    std::fill_n(states, size.state * kLanes, 0.0f);
    for (int64_t t = 0; t < size.length; ++t) {
      if (t % size.kChunk == 0)
        for (int n = 0; n < size.state; ++n)
          store_some(kept + way.kept(size, t / size.kChunk, n), load(states + n * kLanes), way.count);
      const int64_t row = way.row(size, t), at = row * size.width + way.begin;
      const Floats step = load_some(tape.steps + at, way.count);
      const Floats fresh = step * load_some(tape.values + at, way.count);
      const float* write = way.selected(size, tape.selection, row);
      const float* read = write + size.state;
      Floats total{};
      for (int n = 0; n < size.state; ++n) {
        const Floats decay = exponential(step * load(rates + n * kLanes));
        const Floats state = decay * load(states + n * kLanes) + fresh * write[n];
        store(states + n * kLanes, state);
        total += state * read[n];
      }
      store_some(outputs + at, total, way.count);
    }
  }
}

// To the gradients of values and steps [B, S, E], of rates for each source [B, N, E], and of the selection
// as parts of a sum, one for each vector of a half's channels: [groups, B, S, 4 N].
struct SelectiveScanGradients {
  float *values, *steps, *rates, *selection;
};

class SelectiveScanBack {
 public:
  SelectiveScanBack(const SelectiveScanSize& size, const SelectiveScanTape& tape, const float* kept,
                    const float* of_outputs, const SelectiveScanGradients& to, float* room)
      : size_(size), tape_(tape), kept_(kept), of_outputs_(of_outputs), to_(to) {
    const int64_t one = int64_t{size.state} * kLanes;
    rates_ = room;
    begun_ = rates_ + one;
    of_states_ = begun_ + one;
    of_rates_ = of_states_ + one;
    decays_ = of_rates_ + one;
    states_ = decays_ + size.kChunk * one;
    of_write_ = states_ + size.kChunk * one;
    of_read_ = of_write_ + int64_t{size.padded()} * kLanes;
    std::fill_n(of_write_, 2 * int64_t{size.padded()} * kLanes, 0.0f);
  }

  void run(const Share& ways) {
    for (int64_t number = ways.begin; number < ways.end; ++number) {
      const SelectiveWay way(size_, number);
      load_rates(size_, way, tape_.rates, rates_);
      std::fill_n(of_states_, 2 * size_.state * kLanes, 0.0f);
      for (int64_t chunk = size_.chunks() - 1; chunk >= 0; --chunk) {
        const int64_t first = chunk * size_.kChunk;
        const int64_t count = std::min(size_.kChunk, size_.length - first);
        ahead(way, chunk, first, count);
        for (int64_t t = count - 1; t >= 0; --t) back(way, first, t);
      }
      for (int n = 0; n < size_.state; ++n)
        store_some(to_.rates + (way.source * size_.state + n) * size_.width + way.begin,
                   load(of_rates_ + n * kLanes), way.count);
    }
  }

 private:
  float* of(float* all, int64_t t, int n) const { return all + (t * size_.state + n) * kLanes; }

  // The states of a chunk, and what was kept of each.
  void ahead(const SelectiveWay& way, int64_t chunk, int64_t first, int64_t count) {
    for (int n = 0; n < size_.state; ++n)
      store(begun_ + n * kLanes, load_some(kept_ + way.kept(size_, chunk, n), way.count));
    const float* before = begun_;
    for (int64_t t = 0; t < count; ++t) {
      const int64_t row = way.row(size_, first + t), at = row * size_.width + way.begin;
      const Floats step = load_some(tape_.steps + at, way.count);
      const Floats fresh = step * load_some(tape_.values + at, way.count);
      const float* write = way.selected(size_, tape_.selection, row);
      for (int n = 0; n < size_.state; ++n) {
        const Floats decay = exponential(step * load(rates_ + n * kLanes));
        store(of(decays_, t, n), decay);
        store(of(states_, t, n), decay * load(before + n * kLanes) + fresh * write[n]);
      }
      before = of(states_, t, 0);
    }
  }

  void back(const SelectiveWay& way, int64_t first, int64_t t) {
    const int64_t row = way.row(size_, first + t), at = row * size_.width + way.begin;
    const Floats step = load_some(tape_.steps + at, way.count);
    const Floats value = load_some(tape_.values + at, way.count);
    const Floats given = load_some(of_outputs_ + at, way.count), fresh = step * value;
    const float* write = way.selected(size_, tape_.selection, row);
    const float* read = write + size_.state;
    const float* before = t > 0 ? of(states_, t - 1, 0) : begun_;
    Floats of_fresh{}, of_step{};
    for (int n = 0; n < size_.state; ++n) {
      const int place = n * kLanes;
      Floats of_state = load(of_states_ + place) + given * read[n];
      store(of_read_ + place, given * load(of(states_, t, n)));
      store(of_write_ + place, of_state * fresh);
      of_fresh += of_state * write[n];
      of_state *= load(of(decays_, t, n));
      store(of_states_ + place, of_state);
      const Floats of_exponent = of_state * load(before + place);
      of_step += of_exponent * load(rates_ + place);
      store(of_rates_ + place, load(of_rates_ + place) + of_exponent * step);
    }
    store_some(to_.values + at, of_fresh * step, way.count);
    store_some(to_.steps + at, of_step + of_fresh * value, way.count);
    float* part = to_.selection + (way.group * size_.rows * size_.length + row) * 4 * size_.state +
                  (way.back ? 2 * size_.state : 0);
    add_up(of_write_, part);
    add_up(of_read_, part + size_.state);
  }

  // The sums over channels.
  void add_up(const float* from, float* to) const {
    for (int n = 0; n < size_.state; n += kLanes) {
      Floats all[kLanes];
      for (int i = 0; i < kLanes; ++i) all[i] = load(from + (n + i) * kLanes);
      store_some(to + n, sums(all), size_.state - n);
    }
  }

  const SelectiveScanSize& size_;
  const SelectiveScanTape& tape_;
  const float *kept_, *of_outputs_;
  const SelectiveScanGradients& to_;
  float *rates_, *begun_, *of_states_, *of_rates_, *decays_, *states_, *of_write_, *of_read_;
};

}  // namespace transduce
