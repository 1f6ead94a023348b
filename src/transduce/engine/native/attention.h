// Attention: of a row over its own ancestors, of a source over itself, of rows over a memory.
#pragma once

#include "program.h"

namespace transduce {

struct Heads {
  int queries, pairs, width;  // H, G, d of the keys
  int of_pair(int head) const { return head * pairs / queries; }
};

// Turns by angles that grow with the position (Su et al. 2021): halves are paired.
inline void rotate(float* vector, const float* cosines, const float* sines, int width) {
  const int half = width / 2;
  for (int i = 0; i < half; ++i) {
    const float low = vector[i], high = vector[i + half];
    vector[i] = low * cosines[i] + high * sines[i];
    vector[i + half] = high * cosines[i + half] + low * sines[i + half];
  }
}

// Queries divided by √d, in the form that keys are stored in where the processor multiplies that.
class Query {
 public:
  Query(float* values, int count, int width, std::vector<float>& memory) : values_(values) {
    const float factor = 1.0f / std::sqrt(static_cast<float>(width));
    for (int i = 0; i < count; ++i) values[i] *= factor;
    halves_ = reinterpret_cast<uint16_t*>(Scratch::sized(memory, (count + 1) / 2));
    write(halves_, values, count);
  }

  float dot_with(const float* key, int offset, int width) const {
    return dot(values_ + offset, key, width);
  }

  float dot_with(const uint16_t* key, int offset, int width) const {
#if defined(__AVX512BF16__)
    if (width % 32 == 0) return dot_halves(halves_ + offset, key, width);
#endif
    return dot(values_ + offset, key, width);
  }

 private:
  const float* values_;
  uint16_t* halves_;
};

// Queries | keys | values in one buffer, [N, (H + 2 G) d]. Keys and values go to the cache
// [layer, 2, t, capacity, G d]; the table [N, t] says at which of the ``capacity`` places of each
// position a row's ancestor wrote. So a beam that changes parents copies no keys or values.
template <class Stored>
struct AncestryAttention : Operation {
  int in, out, layer;
  Heads heads;
  int cache, table, cosines, sines, bias;

  AncestryAttention(int in, int out, int layer, Heads heads, int cache, int table, int cosines,
                    int sines, int bias)
      : in(in), out(out), layer(layer), heads(heads), cache(cache), table(table),
        cosines(cosines), sines(sines), bias(bias) {}

  void run(const Context& at) override {
    // Rows of a sentence on one thread where there are enough: they share most of their ancestors.
    // Each reads only what it wrote itself at this step, so none waits for another.
    const bool many = at.call.sentences >= at.threads;
    const int64_t together = many ? at.call.rows / at.call.sentences : 1;
    const Share items = at.share(at.call.rows / together);
    for (int64_t row = items.begin * together; row < items.end * together; ++row) attend(at, row);
  }

 private:
  void attend(const Context& at, int64_t row) const {
    const Call& call = at.call;
    const int d = heads.width, memory = heads.pairs * d;
    const int64_t now = call.position, plane = call.capacity * memory;
    float* queries = at.buffer(in).row(row);
    float *keys = queries + heads.queries * d, *values = keys + memory;
    if (cosines >= 0) {
      const float* cos = at.tensor<float>(cosines) + now * d;
      const float* sin = at.tensor<float>(sines) + now * d;
      for (int head = 0; head < heads.queries; ++head) rotate(queries + head * d, cos, sin, d);
      for (int pair = 0; pair < heads.pairs; ++pair) rotate(keys + pair * d, cos, sin, d);
    }
    int32_t* ancestors = at.tensor<int32_t>(table) + row * call.ancestry;
    ancestors[now] = static_cast<int32_t>(row);
    const int64_t kind = call.ancestry * plane;  // the table is as long as the cache
    Stored* stored_keys = at.tensor<Stored>(cache) + 2 * layer * kind;
    Stored* stored_values = stored_keys + kind;
    write(stored_keys + now * plane + row * memory, keys, memory);
    write(stored_values + now * plane + row * memory, values, memory);

    const int count = static_cast<int>(now) + 1, padded = round_up(count, kLanes);
    float* scores = Scratch::sized(at.scratch.first, int64_t{heads.queries} * padded);
    const auto key_of = [&](int t) {
      return stored_keys + t * plane + ancestors[t] * int64_t{memory};
    };
    const auto value_of = [&](int t) {
      return stored_values + t * plane + ancestors[t] * int64_t{memory};
    };
    const Query query(queries, heads.queries * d, d, at.scratch.second);
    for (int t = 0; t < count; ++t) {
      if (t + 1 < count) fetch(key_of(t + 1), memory);
      fetch(value_of(t), memory);
      const Stored* key = key_of(t);
      for (int head = 0; head < heads.queries; ++head)
        scores[head * padded + t] = query.dot_with(key + heads.of_pair(head) * d, head * d, d);
    }
    for (int head = 0; head < heads.queries; ++head) {
      float* own = scores + head * padded;
      if (bias >= 0)  // by distance, the furthest first, so that distance 0 is the last
        add_scaled(own, at.tensor<float>(bias) + (head + 1) * call.ancestry - count, 1.0f, count);
      softmax(own, count, padded);
    }
    float* to = at.buffer(out).row(row);
    for (int head = 0; head < heads.queries; ++head) {
      const int column = heads.of_pair(head) * d;
      weighted_sum(to + head * d, scores + head * padded, count, d,
                   [&](int t) { return value_of(t) + column; });
    }
  }

  // Ancestors stand wherever they were written: no prefetcher guesses the next.
  static void fetch(const Stored* from, int count) {
    constexpr int kLine = 64 / sizeof(Stored);
    for (int i = 0; i < count; i += kLine) __builtin_prefetch(from + i);
  }
};

// A whole source over itself: queries | keys | values [B·S, (H + 2 G) d] to out [B·S, H d].
struct SourceAttention : Operation {
  int in, out;
  Heads heads;
  int lengths, cosines, sines, bias;

  SourceAttention(int in, int out, Heads heads, int lengths, int cosines, int sines, int bias)
      : in(in), out(out), heads(heads), lengths(lengths), cosines(cosines), sines(sines),
        bias(bias) {}

  void run(const Context& at) override {
    if (cosines >= 0) {
      const Share rows = at.share(at.call.rows);
      for (int64_t row = rows.begin; row < rows.end; ++row) turn(at, row);
      at.pool.barrier();
    }
    const Share items = at.share(at.call.sentences * heads.queries);
    for (int64_t item = items.begin; item < items.end; ++item)
      attend(at, item / heads.queries, static_cast<int>(item % heads.queries));
  }

 private:
  void turn(const Context& at, int64_t row) const {
    const int d = heads.width;
    const int64_t offset = row % at.call.source * d;
    float* vectors = at.buffer(in).row(row);
    for (int head = 0; head < heads.queries + heads.pairs; ++head)
      rotate(vectors + head * d, at.tensor<float>(cosines) + offset,
             at.tensor<float>(sines) + offset, d);
  }

  void attend(const Context& at, int64_t sentence, int head) const {
    const int d = heads.width, pair = heads.of_pair(head);
    const int64_t S = at.call.source;
    const int count = static_cast<int>(at.tensor<int64_t>(lengths)[sentence]);
    const int padded = round_up(count, kLanes);
    const Buffer& from = at.buffer(in);
    const int key_column = (heads.queries + pair) * d;
    const int value_column = (heads.queries + heads.pairs + pair) * d;
    // Keys turned round, [d, S]: scores of 16 positions then come without a sum across a vector.
    float* turned = Scratch::sized(at.scratch.first, int64_t{d} * padded);
    for (int s = 0; s < count; ++s) {
      const float* key = from.row(sentence * S + s) + key_column;
      for (int i = 0; i < d; ++i) turned[i * padded + s] = key[i];
    }
    for (int i = 0; i < d; ++i)
      for (int s = count; s < padded; ++s) turned[i * padded + s] = 0;
    float* scores = Scratch::sized(at.scratch.second, padded);
    const float factor = 1.0f / std::sqrt(static_cast<float>(d));
    for (int64_t query = 0; query < S; ++query) {
      float* to = at.buffer(out).row(sentence * S + query) + head * d;
      if (query >= count) {
        std::memset(to, 0, sizeof(float) * d);
        continue;
      }
      const float* q = from.row(sentence * S + query) + head * d;
      for (int s = 0; s < padded; s += kLanes) {
        Floats total{};
        for (int i = 0; i < d; ++i) total += q[i] * load(turned + i * padded + s);
        store(scores + s, total * factor);
      }
      if (bias >= 0)
        add_scaled(scores, at.tensor<float>(bias) + (head * S + query) * S, 1.0f, count);
      softmax(scores, count, padded);
      weighted_sum(to, scores, count, d, [&](int s) {
        return static_cast<const float*>(from.row(sentence * S + s) + value_column);
      });
    }
  }
};

// From a buffer [B·S, W], columns ``offset`` …, to keys [B, G, d, P] (S rounded up to 16) or values
// [B, G, S, d].
template <class Stored>
struct StoreMemory : Operation {
  int in, offset, tensor;
  Heads heads;
  bool keys;

  StoreMemory(int in, int offset, int tensor, Heads heads, bool keys)
      : in(in), offset(offset), tensor(tensor), heads(heads), keys(keys) {}

  void run(const Context& at) override {
    const int64_t S = at.call.source, G = heads.pairs, d = heads.width, P = round_up(S, kLanes);
    const Share items = at.share(at.call.sentences * G);
    Stored* to = at.tensor<Stored>(tensor);
    for (int64_t item = items.begin; item < items.end; ++item) {
      const int64_t sentence = item / G, pair = item % G;
      for (int64_t s = 0; s < S; ++s) {
        const float* from = at.buffer(in).row(sentence * S + s) + offset + pair * d;
        if (!keys) {
          write(to + (item * S + s) * d, from, static_cast<int>(d));
          continue;
        }
        for (int64_t i = 0; i < d; ++i) write_one(to + (item * d + i) * P + s, from[i]);
      }
    }
  }
};

// How rows look at a memory.
struct Look {
  Heads heads;
  int value_width;      // of one head's values
  float factor;         // on the scores
  const float* vector;  // additive scores: Σ_i v_i σ(q_i + k_i), [d]; null: q · k
  bool cosine;          // queries are first brought to length 1
};

// Queries [N, H d] of B·K rows over keys [B, G, d, P] and values [B, G, S, e] to out [N, H e]; a
// sentence's K rows read its one memory. ``weights`` [N, S], where asked for: the mean over heads.
template <class Stored>
struct MemoryAttention : Operation {
  int in, out, keys, values, lengths, weights;
  Look look;

  MemoryAttention(int in, int out, int keys, int values, int lengths, int weights, Look look)
      : in(in), out(out), keys(keys), values(values), lengths(lengths), weights(weights),
        look(look) {}

  void run(const Context& at) override {
    const bool kept = weights >= 0 && at.call.tensors[weights] != nullptr;
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
  void clear(const Context& at, int64_t sentence) const {
    const int64_t count = at.call.rows / at.call.sentences * at.call.source;
    std::memset(at.tensor<float>(weights) + sentence * count, 0, sizeof(float) * count);
  }

  void attend(const Context& at, int64_t sentence, int head, bool kept) const {
    const Call& call = at.call;
    const int64_t S = call.source, K = call.rows / call.sentences;
    const int d = look.heads.width, e = look.value_width;
    const int stride = round_up(S, kLanes);
    const int count = static_cast<int>(at.tensor<int64_t>(lengths)[sentence]);
    const int padded = round_up(count, kLanes);
    const int64_t item = sentence * look.heads.pairs + look.heads.of_pair(head);
    const Stored* key = at.tensor<Stored>(keys) + item * d * stride;
    const Stored* value = at.tensor<Stored>(values) + item * S * e;
    float* scores = Scratch::sized(at.scratch.first, padded);
    for (int64_t beam = 0; beam < K; ++beam) {
      const int64_t row = sentence * K + beam;
      const float* query = at.buffer(in).row(row) + head * d;
      look.vector != nullptr ? add_scores(query, key, scores, padded, stride)
                             : multiply_scores(query, key, scores, padded, stride);
      softmax(scores, count, padded);
      weighted_sum(at.buffer(out).row(row) + head * e, scores, count, e,
                   [&](int s) { return value + int64_t{s} * e; });
      if (kept)
        add_scaled(at.tensor<float>(weights) + row * S, scores, 1.0f / look.heads.queries, count);
    }
  }

  void multiply_scores(const float* query, const Stored* key, float* scores, int padded,
                       int stride) const {
    const int d = look.heads.width;
    float factor = look.factor;
    if (look.cosine) factor /= std::max(std::sqrt(dot(query, query, d)), 1e-12f);
    int s = 0;
    for (; s + 2 * kLanes <= padded; s += 2 * kLanes) {
      Floats first{}, second{};
      for (int i = 0; i < d; ++i) {
        const Stored* from = key + int64_t{i} * stride + s;
        first += query[i] * read(from);
        second += query[i] * read(from + kLanes);
      }
      store(scores + s, first * factor);
      store(scores + s + kLanes, second * factor);
    }
    for (; s < padded; s += kLanes) {
      Floats first{}, second{};
      int i = 0;
      for (; i + 2 <= d; i += 2) {
        first += query[i] * read(key + int64_t{i} * stride + s);
        second += query[i + 1] * read(key + int64_t{i + 1} * stride + s);
      }
      if (i < d) first += query[i] * read(key + int64_t{i} * stride + s);
      store(scores + s, (first + second) * factor);
    }
  }

  void add_scores(const float* query, const Stored* key, float* scores, int padded,
                  int stride) const {
    for (int s = 0; s < padded; s += kLanes) {
      Floats total{};
      for (int i = 0; i < look.heads.width; ++i)
        total += look.vector[i] * sigmoid(query[i] + read(key + int64_t{i} * stride + s));
      store(scores + s, total);
    }
  }
};

}  // namespace transduce
