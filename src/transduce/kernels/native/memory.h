// Attention of rows over a memory: what is stored of it once, and how rows look at it.
#pragma once

#include "attention.h"

namespace transduce {

constexpr int kPositions = 16;  // of a memory: as many times this as are needed

// Keys [d, P] and values [S, e] of one sentence and head, as floats. P is S rounded up to kPositions.
struct FloatMemory {
  using Stored = float;

  static int64_t key_size(int64_t d, int64_t P) { return d * P; }
  static int64_t value_size(int64_t S, int64_t e) { return S * e; }

  static void store_key(float* to, const float* from, int d, int64_t s, int64_t P) {
    for (int i = 0; i < d; ++i) to[i * P + s] = from[i];
  }

  static void store_value(float* to, const float* from, int e, int64_t s) {
    write(to + s * e, from, e);
  }

  // scores[s] = factor · Σ_i query[i] key[i, s]
  static void multiply(const float* query, const float* keys, int d, int P, float factor,
                       float* scores, int padded, Scratch&) {
    int s = 0;
    for (; s + 2 * kLanes <= padded; s += 2 * kLanes) {
      Floats first{}, second{};
      for (int i = 0; i < d; ++i) {
        const float* from = keys + int64_t{i} * P + s;
        first += query[i] * load(from);
        second += query[i] * load(from + kLanes);
      }
      store(scores + s, first * factor);
      store(scores + s + kLanes, second * factor);
    }
    for (; s < padded; s += kLanes) {
      Floats first{}, second{};
      int i = 0;
      for (; i + 2 <= d; i += 2) {
        first += query[i] * load(keys + int64_t{i} * P + s);
        second += query[i + 1] * load(keys + int64_t{i + 1} * P + s);
      }
      if (i < d) first += query[i] * load(keys + int64_t{i} * P + s);
      store(scores + s, (first + second) * factor);
    }
  }

  // scores[s] = Σ_i vector[i] σ(query[i] + key[i, s])
  static void add(const float* query, const float* vector, const float* keys, int d, int P,
                  float* scores, int padded) {
    for (int s = 0; s < padded; s += kLanes) {
      Floats total{};
      for (int i = 0; i < d; ++i)
        total += vector[i] * sigmoid(query[i] + load(keys + int64_t{i} * P + s));
      store(scores + s, total);
    }
  }

  static void weigh(float* to, const float* weights, const float* values, int count, int,
                    int e, Scratch&) {
    weighted_sum(to, weights, count, e, [&](int s) { return values + int64_t{s} * e; });
  }
};

// The same as bfloat16 in twos, so that one instruction multiplies and adds both: keys
// [⌈d / 2⌉, P, 2], values [⌈S / 2⌉, e, 2]. What fills up an odd number is 0.
struct PairedMemory {
  using Stored = uint16_t;

  static int64_t key_size(int64_t d, int64_t P) { return (d + 1) / 2 * P * 2; }
  static int64_t value_size(int64_t S, int64_t e) { return (S + 1) / 2 * e * 2; }

  static int64_t value_place(int64_t s, int64_t i, int64_t e) {
    return (s / 2 * e + i) * 2 + s % 2;
  }

  static void store_key(uint16_t* to, const float* from, int d, int64_t s, int64_t P) {
    uint16_t halves[kLanes];
    to += 2 * s;
    for (int i = 0; i < d; i += kLanes) {
      const int count = std::min(kLanes, d - i);
      write(halves, from + i, count);
      if (count % 2 == 1) halves[count] = 0;
      for (int pair = 0; pair < count; pair += 2, to += 2 * P) std::memcpy(to, halves + pair, 4);
    }
  }

  // The second of two rows is put beside the first.
  static void store_value(uint16_t* to, const float* from, int e, int64_t s) {
    const bool second = s % 2 == 1;
    int i = 0;
    for (; i + kLanes <= e; i += kLanes) {
      const Words own = __builtin_convertvector(to_bfloat16(load(from + i)), Words);
      uint16_t* place = to + value_place(s - second, i, e);
      store(place, second ? load<Words, uint16_t>(place) | own << 16 : own);
    }
    for (; i < e; ++i) to[value_place(s, i, e)] = to_bfloat16(from[i]);
  }

  static void multiply(const float* query, const uint16_t* keys, int d, int P, float factor,
                       float* scores, int padded, Scratch& scratch) {
    const Factor* pairs = in_twos(query, d, scratch);
    const int count = (d + 1) / 2, row = 2 * P;
    int s = 0;
    for (; s + 2 * kLanes <= padded; s += 2 * kLanes) {
      Floats totals[4] = {};
      const uint16_t* from = keys + 2 * s;
      int i = 0;
      for (; i + 2 <= count; i += 2, from += 2 * row) {
        totals[0] = add_pairs(totals[0], from, pairs + 2 * i);
        totals[1] = add_pairs(totals[1], from + 2 * kLanes, pairs + 2 * i);
        totals[2] = add_pairs(totals[2], from + row, pairs + 2 * (i + 1));
        totals[3] = add_pairs(totals[3], from + row + 2 * kLanes, pairs + 2 * (i + 1));
      }
      if (i < count) {
        totals[0] = add_pairs(totals[0], from, pairs + 2 * i);
        totals[1] = add_pairs(totals[1], from + 2 * kLanes, pairs + 2 * i);
      }
      store(scores + s, (totals[0] + totals[2]) * factor);
      store(scores + s + kLanes, (totals[1] + totals[3]) * factor);
    }
    for (; s < padded; s += kLanes) {
      Floats totals[4] = {};  // one would wait for itself at each step
      const uint16_t* from = keys + 2 * s;
      int i = 0;
      for (; i + 4 <= count; i += 4, from += 4 * row)
        for (int j = 0; j < 4; ++j)
          totals[j] = add_pairs(totals[j], from + j * row, pairs + 2 * (i + j));
      for (; i < count; ++i, from += row)
        totals[0] = add_pairs(totals[0], from, pairs + 2 * i);
      store(scores + s, ((totals[0] + totals[1]) + (totals[2] + totals[3])) * factor);
    }
  }

  static void add(const float* query, const float* vector, const uint16_t* keys, int d, int P,
                  float* scores, int padded) {
    for (int s = 0; s < padded; s += kLanes) {
      Floats total{};
      for (int i = 0; i < d; ++i) {
        const Words both = load<Words, uint16_t>(keys + (int64_t{i / 2} * P + s) * 2);
        const Floats key = i % 2 == 0 ? first_of_pairs(both) : second_of_pairs(both);
        total += vector[i] * sigmoid(query[i] + key);
      }
      store(scores + s, total);
    }
  }

  // Beyond ``count`` the weights are 0, up to ``padded``.
  static void weigh(float* to, const float* weights, const uint16_t* values, int count, int padded,
                    int e, Scratch& scratch) {
    const Factor* pairs = in_twos(weights, padded, scratch);
    const int steps = (count + 1) / 2;
    constexpr int kSums = 4;
    int i = 0;
    for (; i + kSums * kLanes <= e; i += kSums * kLanes) {
      Floats totals[kSums] = {};
      for (int s = 0; s < steps; ++s) {
        const uint16_t* from = values + (int64_t{s} * e + i) * 2;
        for (int v = 0; v < kSums; ++v)
          totals[v] = add_pairs(totals[v], from + 2 * v * kLanes, pairs + 2 * s);
      }
      for (int v = 0; v < kSums; ++v) store(to + i + v * kLanes, totals[v]);
    }
    for (; i + kLanes <= e; i += kLanes) {
      Floats total{};
      for (int s = 0; s < steps; ++s)
        total = add_pairs(total, values + (int64_t{s} * e + i) * 2, pairs + 2 * s);
      store(to + i, total);
    }
    for (; i < e; ++i) {
      to[i] = 0;
      for (int s = 0; s < count; ++s)
        to[i] += weights[s] * from_bfloat16(values[value_place(s, i, e)]);
    }
  }

 private:
  static const Factor* in_twos(const float* values, int count, Scratch& scratch) {
    Factor* factors = Scratch::sized(scratch.factors, count + 1);
    write_factors(factors, values, count);
    factors[count] = 0;
    return factors;
  }
};

// From a buffer [B·S, W], columns ``offset`` …, to the keys or values [B, G, …] of a memory.
template <class Form>
struct StoreMemory : Operation {
  int in, offset, tensor;
  Heads heads;
  bool keys;

  StoreMemory(int in, int offset, int tensor, Heads heads, bool keys)
      : in(in), offset(offset), tensor(tensor), heads(heads), keys(keys) {}

  void fits(const Widths& widths) override {
    heads.check();
    require(offset >= 0 && offset + heads.stored() <= widths[in], Fault::kOperation);
  }

  void admit(const Call& call) const override {
    const int64_t S = call.source, d = heads.width, P = round_up(S, kPositions);
    require(call.rows == call.sentences * S, Fault::kSizes);
    const int64_t size = keys ? Form::key_size(d, P) : Form::value_size(S, d);
    call.room(tensor, {call.sentences, heads.pairs, size}, sizeof(typename Form::Stored));
  }

  Order order() const override { return Order::kOnwards; }

  void touch(Touches& touches) const override { touches.reads(in); }

  void run(const Context& at) const override {
    const int64_t S = at.call.source, G = heads.pairs, d = heads.width, P = round_up(S, kPositions);
    const int64_t size = keys ? Form::key_size(d, P) : Form::value_size(S, d);
    if (at.rows.size() == 0) return;
    const int64_t first = at.rows.begin / S * G, last = ((at.rows.end - 1) / S + 1) * G;
    const Share items = at.share(last - first);
    for (int64_t item = first + items.begin; item < first + items.end; ++item) {
      auto* to = at.tensor<typename Form::Stored>(tensor) + item * size;
      const Range own = at.positions(item / G);
      for (int64_t s = own.begin; s < own.end; ++s) {
        const float* from = at.buffer(in).row(item / G * S + s) + offset + item % G * d;
        keys ? Form::store_key(to, from, static_cast<int>(d), s, P)
             : Form::store_value(to, from, static_cast<int>(d), s);
      }
    }
  }
};

// How rows look at a memory.
struct Look {
  Heads heads;
  int value_width;  // of one head's values
  float factor;     // on the scores
  Numbers vector;   // additive scores: Σ_i v_i σ(q_i + k_i), [d]; none: q · k
  bool cosine;      // queries are first brought to length 1
};

// Queries [N, H d] of B·K rows over a memory's keys and values [B, G, …] to out [N, H e]; a
// sentence's K rows read its one memory. ``weights`` [N, S], where asked for: the mean over heads.
template <class Form>
struct MemoryAttention : Operation {
  int in, out, keys, values, lengths, weights;
  Look look;

  MemoryAttention(int in, int out, int keys, int values, int lengths, int weights, Look look)
      : in(in), out(out), keys(keys), values(values), lengths(lengths), weights(weights),
        look(look) {}

  void fits(const Widths& widths) override {
    look.heads.check();
    require(in != out && widths[in] == look.heads.all(), Fault::kOperation);
    require(look.value_width > 0 && std::isfinite(look.factor), Fault::kOperation);
    require(widths[out] == int64_t{look.heads.queries} * look.value_width, Fault::kOperation);
    if (look.vector.values == nullptr) return;
    require(look.vector.count == look.heads.width, Fault::kOperation);
    require(look.vector.holds(look.heads.width), Fault::kNumbers);
  }

  void admit(const Call& call) const override {
    const int64_t S = call.source, B = call.sentences, d = look.heads.width;
    const int64_t P = round_up(S, kPositions), size = sizeof(Stored);
    call.within<int64_t>(lengths, B, 1, S + 1);
    call.room(keys, {B, look.heads.pairs, Form::key_size(d, P)}, size);
    call.room(values, {B, look.heads.pairs, Form::value_size(S, look.value_width)}, size);
    if (weights >= 0 && call.gives(weights)) call.room(weights, {call.rows, S}, sizeof(float));
  }

  void prepare(const Call& call, Workspace& workspace) const override {
    const int64_t padded = round_up(call.source, kLanes);
    for (Scratch& own : workspace.team) {
      Scratch::sized(own.first, padded);
      Scratch::sized(own.factors, std::max<int64_t>(look.heads.width, padded) + 1);
    }
  }

  void touch(Touches& touches) const override {
    touches.changes(in);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    const bool kept = weights >= 0 && at.call.tensors[weights].memory != nullptr;
    const int64_t H = look.heads.queries;
    if (kept || at.call.sentences >= at.threads) {
      const Share sentences = at.share(at.call.sentences);
      for (int64_t sentence = sentences.begin; sentence < sentences.end; ++sentence) {
        if (kept) clear(at, sentence);
        for (int head = 0; head < H; ++head) attend(at, sentence, head, kept);
      }
      return;
    }
    const Share items = at.share(at.call.sentences * H);
    for (int64_t item = items.begin; item < items.end; ++item)
      attend(at, item / H, static_cast<int>(item % H), false);
  }

 private:
  using Stored = typename Form::Stored;

  void clear(const Context& at, int64_t sentence) const {
    const int64_t count = at.call.rows / at.call.sentences * at.call.source;
    std::memset(at.tensor<float>(weights) + sentence * count, 0, sizeof(float) * count);
  }

  void attend(const Context& at, int64_t sentence, int head, bool kept) const {
    const Call& call = at.call;
    const int64_t S = call.source, K = call.rows / call.sentences;
    const int d = look.heads.width, e = look.value_width, P = round_up(S, kPositions);
    const int count = static_cast<int>(at.tensor<int64_t>(lengths)[at.place(sentence)]);
    const int padded = round_up(count, kLanes);
    const int64_t item = at.place(sentence) * look.heads.pairs + look.heads.of_pair(head);
    const Stored* key = at.tensor<Stored>(keys) + item * Form::key_size(d, P);
    const Stored* value = at.tensor<Stored>(values) + item * Form::value_size(S, e);
    float* scores = Scratch::sized(at.scratch.first, padded);
    for (int64_t beam = 0; beam < K; ++beam) {
      const int64_t row = sentence * K + beam;
      const float* query = at.buffer(in).row(row) + head * d;
      if (look.vector.values != nullptr)
        Form::add(query, look.vector.values, key, d, P, scores, padded);
      else
        Form::multiply(query, key, d, P, factor(query), scores, padded, at.scratch);
      softmax(scores, count, padded);
      Form::weigh(at.buffer(out).row(row) + head * e, scores, value, count, padded, e, at.scratch);
      if (kept)
        add_scaled(at.tensor<float>(weights) + row * S, scores, 1.0f / look.heads.queries, count);
    }
  }

  float factor(const float* query) const {
    if (!look.cosine) return look.factor;
    const float squares = dot(query, query, look.heads.width);
    return look.factor / std::max(std::sqrt(squares), 1e-12f);
  }
};

}  // namespace transduce
