// Attention of a row over its own ancestors.
#pragma once

#include "program.h"

namespace transduce {

struct Heads {
  int queries, pairs, width;  // H, G, d of the keys
  int of_pair(int head) const { return head * pairs / queries; }

  int64_t all() const { return int64_t{queries} * width; }
  int64_t stored() const { return int64_t{pairs} * width; }

  void check() const {
    require(pairs > 0 && queries >= pairs && width > 0, Fault::kOperation);
    require(queries <= Widths::kMost / width, Fault::kOperation);
  }
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
  Query(float* values, int count, int width, std::vector<uint16_t>& memory) : values_(values) {
    const float factor = 1.0f / std::sqrt(static_cast<float>(width));
    for (int i = 0; i < count; ++i) values[i] *= factor;
#if defined(__AVX512BF16__)
    halves_ = Scratch::sized(memory, count);
    write(halves_, values, count);
#endif
  }

  // Whether ``products`` takes whole vectors of such keys.
  static bool takes(int width, const float*) { return width % kLanes == 0; }
  static bool takes(int width, const uint16_t*) { return width % kHalves == 0; }

  // What sums up to the product of the query at ``offset`` with a key.
  template <class Stored>
  Floats products(const Stored* key, int offset, int width) const {
#if defined(__AVX512BF16__)
    if constexpr (sizeof(Stored) == 2) {
      __m512 total = _mm512_setzero_ps();
      for (int i = 0; i < width; i += kHalves)
        total = _mm512_dpbf16_ps(total, (__m512bh)_mm512_loadu_si512(halves_ + offset + i),
                                 (__m512bh)_mm512_loadu_si512(key + i));
      return (Floats)total;
    }
#endif
    Floats total{};
    for (int i = 0; i < width; i += kLanes) total += load(values_ + offset + i) * read(key + i);
    return total;
  }

  template <class Stored>
  float product(const Stored* key, int offset, int width) const {
    return dot(values_ + offset, key, width);
  }

 private:
#if defined(__AVX512BF16__)
  static constexpr int kHalves = 2 * kLanes;
#else
  static constexpr int kHalves = kLanes;
#endif
  const float* values_;
  uint16_t* halves_ = nullptr;
};

// Queries | keys | values in one buffer, [N, (H + 2 G) d]. Keys and values go to the cache
// [2, t, capacity, G d] of each layer, ``before`` numbers a row and position in those of the layers
// below; the table [N, t] says at which of the ``capacity`` places of each
// position a row's ancestor wrote. So a beam that changes parents copies no keys or values.
template <class Stored>
struct AncestryAttention : Operation {
  int in, out, before;
  Heads heads;
  int cache, table, cosines, sines, bias;

  AncestryAttention(int in, int out, int before, Heads heads, int cache, int table, int cosines,
                    int sines, int bias)
      : in(in), out(out), before(before), heads(heads), cache(cache), table(table),
        cosines(cosines), sines(sines), bias(bias) {}

  void fits(const Widths& widths) override {
    heads.check();
    require(before >= 0 && in != out && widths[out] == heads.all(), Fault::kOperation);
    require(widths[in] == heads.all() + 2 * heads.stored(), Fault::kOperation);
    require((cosines < 0) == (sines < 0), Fault::kOperation);
    require(cosines < 0 || heads.width % 2 == 0, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.rows <= call.capacity && call.position < call.ancestry, Fault::kSizes);
    const int64_t kept = 2 * (int64_t{before} + heads.stored()), d = heads.width;
    call.room(cache, {kept, call.ancestry, call.capacity}, sizeof(Stored));
    call.room(table, {call.rows, call.ancestry}, sizeof(int32_t));
    if (before == 0) admit_ancestors(call);
    for (const int angles : {cosines, sines})
      if (angles >= 0) call.room(angles, {call.position + 1, d}, sizeof(float));
    if (bias < 0) return;
    require(call.position < call.distances, Fault::kSizes);
    call.room(bias, {heads.queries, call.distances}, sizeof(float));
  }

  void need(Needs& needs) const override {
    const int64_t size = sizeof(Stored);
    require(needs.kept == 2 * before * size, Fault::kOperation);  // layer upon layer, no gaps
    needs.planes.insert(needs.planes.end(), 2, heads.stored() * size);
    needs.kept += 2 * heads.stored() * size;
  }

  void prepare(const Call& call, Workspace& workspace) const override {
    const int64_t count = call.position + 1;
    for (Scratch& own : workspace.team) {
      Scratch::sized(own.places, count);
      Scratch::sized(own.first, heads.queries * int64_t{round_up(count, kLanes)});
      Scratch::sized(own.halves, std::max(heads.all(), count + 1));
    }
  }

  void touch(Touches& touches) const override {
    touches.changes(in);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    // Rows of a sentence on one thread where there are enough: they share most of their ancestors.
    // Each reads only what it wrote itself at this step, so none waits for another.
    const bool many = at.call.sentences >= at.threads;
    const int64_t together = many ? at.call.rows / at.call.sentences : 1;
    const Share items = at.share(at.call.rows / together);
    for (int64_t row = items.begin * together; row < items.end * together; ++row) attend(at, row);
  }

 private:
  // Ancestors that were written at the positions before this one.
  void admit_ancestors(const Call& call) const {
    if (call.tensors[table].bytes == Given::kOwn) return;
    const int32_t* ancestors = call.there<int32_t>(table);
    for (int64_t row = 0; row < call.rows; ++row)
      for (int64_t t = 0; t < call.position; ++t) {
        const int64_t place = ancestors[row * call.ancestry + t];
        if (place < 0 || place >= call.capacity)
          throw Refused(Fault::kRange, table, place, 0, call.capacity);
      }
  }

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
    Stored* stored_keys =
        at.tensor<Stored>(cache) + 2 * before * call.ancestry * call.capacity;
    Stored* stored_values = stored_keys + kind;
    write(stored_keys + now * plane + row * memory, keys, memory);
    write(stored_values + now * plane + row * memory, values, memory);

    const int count = static_cast<int>(now) + 1, padded = round_up(count, kLanes);
    int64_t* places = Scratch::sized(at.scratch.places, count);
    for (int t = 0; t < count; ++t) places[t] = t * plane + ancestors[t] * int64_t{memory};
    float* scores = Scratch::sized(at.scratch.first, int64_t{heads.queries} * padded);
    const Query query(queries, heads.queries * d, d, at.scratch.halves);
    for (int t = 0; t < count; t += kLanes) {
      const int here = std::min(kLanes, count - t);
      for (int next = t + kLanes; next < std::min(t + 2 * kLanes, count); ++next)
        fetch(stored_keys + places[next], memory);
      for (int i = 0; i < here; ++i) fetch(stored_values + places[t + i], memory);
      for (int head = 0; head < heads.queries; ++head)
        multiply(query, stored_keys + heads.of_pair(head) * d, places + t, here, head * d,
                 scores + head * padded + t);
    }
    for (int head = 0; head < heads.queries; ++head) {
      float* own = scores + head * padded;
      if (bias >= 0)  // by distance, the furthest first, so that distance 0 is the last
        add_scaled(own, at.tensor<float>(bias) + (head + 1) * call.distances - count, 1.0f, count);
      softmax(own, count, padded);
    }
    float* to = at.buffer(out).row(row);
    for (int head = 0; head < heads.queries; ++head)
      weigh(to + head * d, scores + head * padded, stored_values + heads.of_pair(head) * d, places,
            count, at.scratch.halves);
  }

  // Scores of up to kLanes positions.
  void multiply(const Query& query, const Stored* keys, const int64_t* places, int count,
                int offset, float* scores) const {
    const int d = heads.width;
    if (!Query::takes(d, keys)) {
      for (int t = 0; t < count; ++t) scores[t] = query.product(keys + places[t], offset, d);
      return;
    }
    Floats products[kLanes] = {};
    for (int t = 0; t < count; ++t) products[t] = query.products(keys + places[t], offset, d);
    store(scores, sums(products));
  }

  // to = Σ_t weights[t] · values at places[t].
  void weigh(float* to, const float* weights, const Stored* values, const int64_t* places,
             int count, std::vector<uint16_t>& memory) const {
    const int d = heads.width;
#if defined(__AVX512BF16__)
    if constexpr (sizeof(Stored) == 2) {
      if (d % (2 * kLanes) == 0) {
        const int even = count + count % 2;  // where that is one more, its weight is 0
        uint16_t* halves = Scratch::sized(memory, even);
        write(halves, weights, even);
        weigh_halves(to, halves, values, places, count);
        return;
      }
    }
#endif
    weighted_sum(to, weights, count, d, [&](int t) { return values + places[t]; });
  }

#if defined(__AVX512BF16__)
  // Two positions at a time: numbers of both are brought side by side and multiplied in pairs.
  void weigh_halves(float* to, const uint16_t* weights, const uint16_t* values,
                    const int64_t* places, int count) const {
    for (int i = 0; i < heads.width; i += 2 * kLanes) {
      __m512 low = _mm512_setzero_ps(), high = low;  // columns 8 l + 0…3 and 8 l + 4…7 of lane l
      for (int t = 0; t < count; t += 2) {
        const __m512i first = _mm512_loadu_si512(values + places[t] + i);
        const __m512i second =
            t + 1 < count ? _mm512_loadu_si512(values + places[t + 1] + i) : _mm512_setzero_si512();
        const auto factors = (__m512bh)_mm512_set1_epi32(static_cast<int>(pair_at(weights, t)));
        low = _mm512_dpbf16_ps(low, (__m512bh)_mm512_unpacklo_epi16(first, second), factors);
        high = _mm512_dpbf16_ps(high, (__m512bh)_mm512_unpackhi_epi16(first, second), factors);
      }
      for (int half = 0; half < 2; ++half) {  // lanes low 0, high 0, low 1, high 1; then 2 and 3
        const __m512 lanes = half == 0 ? _mm512_shuffle_f32x4(low, high, 0x44)
                                       : _mm512_shuffle_f32x4(low, high, 0xee);
        _mm512_storeu_ps(to + i + half * kLanes, _mm512_shuffle_f32x4(lanes, lanes, 0xd8));
      }
    }
  }
#endif

  // Ancestors stand wherever they were written: no prefetcher guesses the next.
  static void fetch(const Stored* from, int count) {
    constexpr int kLine = 64 / sizeof(Stored);
    for (int i = 0; i < count; i += kLine) __builtin_prefetch(from + i);
  }
};

}  // namespace transduce
