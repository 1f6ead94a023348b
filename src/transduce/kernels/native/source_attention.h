// Attention of a source over itself, whole or near each position: short ones are read row by row, long
// ones in blocks.
#pragma once

#include "attention.h"

namespace transduce {

// Positions from ``begin`` on, before ``end``.
struct Span {
  int begin, end;
};

// Keys and values of one head in the panels that the kernels of products read, with what one block of
// queries needs; of a sentence, or of what is seen of it, behind ``always`` others, whole panels, that
// every query sees. Float32, or bfloat16 where the processor multiplies that.
template <class Stored>
struct Panels {
  static constexpr int kGroup = sizeof(Stored) == 4 ? 1 : 2;
  static constexpr int kRows = 4 * kTileRows;  // queries of a block

  int count, width;              // of all keys, and d
  int always;
  int key_groups, value_groups;  // of d and of S
  int key_panels, value_panels;  // of S and of d
  int64_t row;                   // floats of a row of scores: as many as a block of queries sees
  Stored *keys, *values, *queries, *weights;
  float *scores, *products;

  Panels(int seen, int width, int window, int others, Scratch& scratch)
      : width(width), always(round_up(others, kPanel)) {
    count = always + seen;
    key_groups = round_up(width, kGroup) / kGroup;
    value_groups = round_up(count, kGroup) / kGroup;
    key_panels = round_up(count, kPanel) / kPanel;
    value_panels = round_up(width, kPanel) / kPanel;
    const int64_t strip = window > 0 ? always + kRows + 2 * int64_t{window} + 2 * kPanel : count;
    row = std::min<int64_t>(key_panels, (strip + kPanel - 1) / kPanel) * kPanel;
    const int64_t key_size = int64_t{key_panels} * key_groups * kPanel * kGroup;
    const int64_t value_size = int64_t{value_panels} * value_groups * kPanel * kGroup;
    const int64_t query_size = int64_t{kRows} * key_groups * kGroup;
    const int64_t weight_size = std::max<int64_t>(kRows * row, width);  // a key must fit in too
    const int64_t total = key_size + value_size + round_up(query_size, 32) + weight_size;
    keys = aligned(stored(scratch, total + 32));
    values = keys + key_size;
    queries = values + value_size;
    weights = queries + round_up(query_size, 32);
    scores = aligned(Scratch::sized(scratch.first, weight_size + 2 * kRows * kPanel + 32));
    products = scores + weight_size;
  }

  void clear() { std::memset(keys, 0, sizeof(Stored) * (queries - keys)); }

  // The rows from ``first`` on as the keys ``own``.
  void pack(const Buffer& from, int64_t first, Span own, int key_column, int value_column) {
    for (int s = own.begin; s < own.end; ++s) {
      // room that is free until later
      write(weights, from.row(first + s - own.begin) + key_column, width);
      Stored* to = keys + (int64_t{s / kPanel} * key_groups * kPanel + s % kPanel) * kGroup;
      for (int i = 0; i < width; i += kGroup, to += kPanel * kGroup)
        std::memcpy(to, weights + i, sizeof(Stored) * std::min(kGroup, width - i));
    }
    for (int s = own.begin; s < own.end; ++s) {
      write(weights, from.row(first + s - own.begin) + value_column, width);
      Stored* to = values + int64_t{s / kGroup} * kPanel * kGroup + s % kGroup;
      for (int column = 0; column < width; column += kPanel, to += value_groups * kPanel * kGroup)
        for (int i = 0; i < std::min(kPanel, width - column); ++i)
          to[i * kGroup] = weights[column + i];
    }
  }

  void take_query(int place, const float* query, float factor) {
    Stored* to = queries + int64_t{place} * key_groups * kGroup;
    if (width % kGroup > 0) to[width] = 0;
    for (int i = 0; i < width; ++i) scores[i] = query[i] * factor;
    write(to, scores, width);
  }

  // From here on all is of the panels that hold the keys ``seen``: columns of scores and weights
  // count from the first of these panels, behind those that are always seen.
  void look(Span seen) {
    first_panel = seen.begin / kPanel;
    last_panel = (seen.end + kPanel - 1) / kPanel;
  }

  int column(int key) const { return always + key - first_panel * kPanel; }

  // scores [rows, …] of the queries taken.
  void score(int rows) {
    for (int panel = 0; panel < always / kPanel; ++panel) score(panel, panel * kPanel, rows);
    for (int panel = first_panel; panel < last_panel; ++panel)
      score(panel, always + (panel - first_panel) * kPanel, rows);
  }

  // e^(score - max) of one row as weights, 0 of what is not ``seen``, nor of the first ``others``; gives
  // what they sum up to.
  float exponentiate(int place, Span seen, int others) {
    float* from = scores + place * row;
    const int padded = round_up(column(std::min(count, last_panel * kPanel)), kLanes);
    std::fill(from + others, from + column(seen.begin), -std::numeric_limits<float>::infinity());
    std::fill(from + column(seen.end), from + padded, -std::numeric_limits<float>::infinity());
    Floats best = load(from);
    for (int s = kLanes; s < padded; s += kLanes) best = larger(best, load(from + s));
    const float top = largest(best);
    Stored* to = weights + place * row;
    Floats total{};
    for (int s = 0; s < padded; s += kLanes) {
      const Floats value = exponential(load(from + s) - top);
      write(to + s, value);
      total += value;
    }
    return sum(total);
  }

  // products [rows, kPanel] of the weights with one panel of the values.
  void weigh(int panel, int rows) {
    const int64_t size = int64_t{value_groups} * kPanel * kGroup;
    const int begin = first_panel * kPanel / kGroup;
    const int end = std::min(value_groups, last_panel * kPanel / kGroup);
    const Stored* const own = values + panel * size;
    for (int first = 0; first < rows; first += kTileRows)
      multiply(own + int64_t{begin} * kPanel * kGroup, end - begin, weights + first * row + always,
               row, products + first * kPanel, kPanel, rows - first);
    if (always == 0) return;
    float* const of_others = products + kRows * kPanel;
    for (int first = 0; first < rows; first += kTileRows)
      multiply(own, always / kGroup, weights + first * row, row, of_others + first * kPanel, kPanel,
               rows - first);
    for (int i = 0; i < rows * kPanel; ++i) products[i] += of_others[i];
  }

 private:
  int first_panel = 0, last_panel = 0;

  void score(int panel, int to, int rows) {
    const int64_t stride = int64_t{key_groups} * kGroup;
    for (int first = 0; first < rows; first += kTileRows)
      multiply(keys + int64_t{panel} * stride * kPanel, key_groups, queries + first * stride,
               stride, scores + first * row + to, row, rows - first);
  }

  static float* stored(Scratch& scratch, int64_t size, float*) {
    return Scratch::sized(scratch.second, size);
  }
  static uint16_t* stored(Scratch& scratch, int64_t size, uint16_t*) {
    return Scratch::sized(scratch.halves, size);
  }
  static Stored* stored(Scratch& scratch, int64_t size) {
    return stored(scratch, size, static_cast<Stored*>(nullptr));
  }

  // A load that crosses two lines of the cache takes twice as long.
  template <class T>
  static T* aligned(T* memory) {
    return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
  }

  static void multiply(const Stored* b, int groups, const Stored* a, int64_t stride, float* to,
                       int64_t to_stride, int rows) {
    if (rows >= kTileRows) return tile::product<kTileRows>(b, groups, a, stride, to, to_stride);
    for (int r = 0; r < rows; ++r)
      tile::product<1>(b, groups, a + r * stride, stride, to + r * to_stride, to_stride);
  }
};

// Queries and keys [B·S, H d] of a buffer that begins with them, turned by the angles of their positions.
struct SourceTurn : Operation {
  int in, heads, width, cosines, sines;

  SourceTurn(int in, int heads, int width, int cosines, int sines)
      : in(in), heads(heads), width(width), cosines(cosines), sines(sines) {}

  void fits(const Widths& widths) override {
    require(heads > 0 && width > 0 && width % 2 == 0, Fault::kOperation);
    require(int64_t{heads} * width <= widths[in], Fault::kOperation);
  }

  void admit(const Call& call) const override {
    require(call.rows == call.sentences * call.source, Fault::kSizes);
    for (const int angles : {cosines, sines})
      call.room(angles, {call.source, width}, sizeof(float));
  }

  Order order() const override { return Order::kAny; }
  void touch(Touches& touches) const override { touches.changes(in); }

  void run(const Context& at) const override {
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t offset = row % at.call.source * width;
      for (int head = 0; head < heads; ++head)
        rotate(at.buffer(in).row(row) + head * width, at.tensor<float>(cosines) + offset,
               at.tensor<float>(sines) + offset, width);
    }
  }
};

// A source over itself: queries | keys | values [B·S, (H + 2 G) d] to out [B·S, H d]. Each position
// sees ``window`` others on either side, or, 0, all. ``bias`` is [H, 2 R + 1], of keys R positions
// before the query to R behind it, where R is the window or S - 1. ``summaries``, where there are some,
// are keys | values [B·⌈S / block⌉, 2 G d] of the blocks of each source, which every position sees besides.
struct SourceAttention : Operation {
  int in, out;
  Heads heads;
  int lengths, bias;
  bool half;  // bfloat16 will do
  int window, summaries;

  SourceAttention(int in, int out, Heads heads, int lengths, int bias, bool half, int window,
                  int summaries)
      : in(in), out(out), heads(heads), lengths(lengths), bias(bias),
        half(half && kMultipliesHalves), window(window), summaries(summaries) {}

  void fits(const Widths& widths) override {
    heads.check();
    require(in != out && widths[out] == heads.all(), Fault::kOperation);
    require(widths[in] == heads.all() + 2 * heads.stored(), Fault::kOperation);
    require(window >= 0 && window <= kWidest, Fault::kOperation);
    require(widths.block(in) == 1 && widths.block(out) == 1, Fault::kOperation);
    if (summaries < 0) return;
    require(window > 0 && widths[summaries] == 2 * heads.stored(), Fault::kOperation);
    block_ = widths.block(summaries);
    require(block_ > 1, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    const int64_t S = call.source;
    require(call.rows == call.sentences * S, Fault::kSizes);
    call.within<int64_t>(lengths, call.sentences, 1, S + 1);
    if (bias >= 0) call.room(bias, {heads.queries, 2 * reach(call) + 1}, sizeof(float));
  }

  void prepare(const Call& call, Workspace& workspace) const override {
    const int longest = static_cast<int>(call.source);
    const int packed = static_cast<int>(
        std::min(call.source, workspace.at_once + 2 * int64_t{window} + kPanel));
    const int64_t padded = round_up(std::min(longest, kLongest), kLanes);
    for (Scratch& own : workspace.team) {
      Scratch::sized(own.first, heads.width * padded);
      Scratch::sized(own.second, kTogether * padded);
      if (by_rows(longest)) continue;
      if (half)
        Panels<uint16_t>(packed, heads.width, window, blocks(longest), own);
      else
        Panels<float>(packed, heads.width, window, blocks(longest), own);
    }
  }

  Order order() const override { return window > 0 ? Order::kOnwards : Order::kTogether; }
  int64_t reach() const override { return window; }
  bool across() const override { return summaries >= 0; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    if (summaries >= 0) touches.reads(summaries);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    if (at.rows.size() == 0) return;
    half ? attend_all<uint16_t>(at) : attend_all<float>(at);
  }

 private:
#if defined(__AVX512BF16__)
  static constexpr bool kMultipliesHalves = true;
#else
  static constexpr bool kMultipliesHalves = false;
#endif
  static constexpr int kLongest = 64;   // positions of a source that is read row by row
  static constexpr int kTogether = 4;   // queries
  static constexpr int kWidest = 1 << 20;  // window

  bool by_rows(int count) const { return count <= kLongest && summaries < 0; }

  // Of so many positions, that have summaries.
  int blocks(int count) const { return summaries < 0 ? 0 : (count + block_ - 1) / block_; }

  // Positions that the farthest key of a query is from it.
  int64_t reach(const Call& call) const { return window > 0 ? window : call.source - 1; }

  // What the queries ``first`` to ``last`` see of ``count`` positions.
  Span seen(int first, int last, int count) const {
    if (window == 0) return {0, count};
    return {std::max(0, first - window), std::min(count, last + window + 1)};
  }

  int key_column(int head) const { return (heads.queries + heads.of_pair(head)) * heads.width; }
  int value_column(int head) const { return key_column(head) + heads.pairs * heads.width; }
  int length(const Context& at, int64_t sentence) const {
    return static_cast<int>(at.tensor<int64_t>(lengths)[sentence]);
  }

  // To scores of the positions ``own``, of which ``scores`` is the first.
  void add_bias(const Context& at, float* scores, int head, int64_t query, Span own) const {
    if (bias < 0) return;
    const int64_t R = reach(at.call);
    const float* distances = at.tensor<float>(bias) + head * (2 * R + 1);
    add_scaled(scores, distances + R + own.begin - query, 1.0f, own.end - own.begin);
  }

  // A sentence's own length decides how it is read: the longest of its batch must not change a bit of
  // it, nor which of its positions are at hand together. A thread packs the keys and values that its
  // blocks of queries see once for all that it has of a head.
  template <class Stored>
  void attend_all(const Context& at) const {
    constexpr int kRows = Panels<Stored>::kRows;
    const int64_t S = at.call.source, most = std::min(S, at.rows.size());
    const int64_t blocks = by_rows(static_cast<int>(S)) ? 1 : (most + kRows - 1) / kRows;
    const int64_t first = at.rows.begin / S, sentences = (at.rows.end - 1) / S + 1 - first;
    const Share items = at.share(sentences * heads.queries * blocks);
    for (int64_t item = items.begin; item < items.end;) {
      const int64_t pair = item / blocks, end = std::min(items.end, (pair + 1) * blocks);
      const int64_t sentence = first + pair / heads.queries;
      const int head = static_cast<int>(pair % heads.queries);
      const Range own = at.positions(sentence);
      if (!by_rows(length(at, sentence))) {
        const int64_t begin = own.begin + item % blocks * kRows;
        const int64_t last = own.begin + (end - pair * blocks) * kRows;
        attend_blocks<Stored>(at, sentence, head, {begin, std::min(own.end, last)});
      } else if (item == pair * blocks) {
        attend(at, sentence, head, own);
      }
      item = end;
    }
  }

  // The positions ``own`` of a long sentence. Panels begin at a whole one, so that it is the same
  // numbers that come together wherever ``own`` begins.
  template <class Stored>
  void attend_blocks(const Context& at, int64_t sentence, int head, Range own) const {
    const int count = length(at, sentence);
    const int first = static_cast<int>(own.begin), end = static_cast<int>(own.end);
    clear(at, sentence, head, std::max(first, count), end);
    const int last = std::min(end, count);
    if (first >= last) return;
    const Span all = seen(first, last - 1, count);
    const int start = all.begin / kPanel * kPanel, others = blocks(count);
    Panels<Stored> panels(all.end - start, heads.width, window, others, at.scratch);
    const int base = start - panels.always;
    panels.clear();
    panels.pack(at.buffer(in), sentence * at.call.source + all.begin,
                {all.begin - base, all.end - base}, key_column(head), value_column(head));
    if (summaries >= 0) {
      const int key = heads.of_pair(head) * heads.width, value = key + heads.pairs * heads.width;
      panels.pack(at.buffer(summaries), sentence * blocks(static_cast<int>(at.call.source)),
                  {0, others}, key, value);
    }
    for (int block = first; block < last; block += panels.kRows)
      attend_block(at, panels, sentence, head, {block, std::min(last, block + panels.kRows)}, base);
  }

  void clear(const Context& at, int64_t sentence, int head, int begin, int end) const {
    for (int s = begin; s < end; ++s)
      std::memset(to(at, sentence, head, s), 0, sizeof(float) * heads.width);
  }

  float* to(const Context& at, int64_t sentence, int head, int position) const {
    return at.buffer(out).row(sentence * at.call.source + position) + head * heads.width;
  }

  // ``base`` is the position that the panels count from, those before it the summaries.
  template <class Stored>
  [[gnu::flatten]] void attend_block(const Context& at, Panels<Stored>& panels, int64_t sentence, int head, Span own,
                    int base) const {
    const int d = heads.width, rows = own.end - own.begin, count = length(at, sentence);
    const auto here = [&](int first, int last) {
      const Span all = seen(first, last, count);
      return Span{all.begin - base, all.end - base};
    };
    const float factor = 1.0f / std::sqrt(static_cast<float>(d));
    const int64_t start = sentence * at.call.source + own.begin;
    for (int r = 0; r < rows; ++r)
      panels.take_query(r, at.buffer(in).row(start + r) + head * d, factor);
    panels.look(here(own.begin, own.end - 1));
    panels.score(rows);
    float scale[Panels<Stored>::kRows];
    for (int r = 0; r < rows; ++r) {
      const Span row = here(own.begin + r, own.begin + r);
      add_bias(at, panels.scores + r * panels.row + panels.column(row.begin), head,
               own.begin + r - base, row);
      scale[r] = 1.0f / panels.exponentiate(r, row, blocks(count));
    }
    for (int panel = 0; panel < panels.value_panels; ++panel) {
      panels.weigh(panel, rows);
      const int column = panel * kPanel, width = std::min(kPanel, d - column);
      for (int r = 0; r < rows; ++r) {
        const float* const products = panels.products + r * kPanel;
        float* const out = to(at, sentence, head, own.begin + r) + column;
        for (int i = 0; i < width; ++i) out[i] = products[i] * scale[r];
      }
    }
  }

  // The positions ``own`` of a short sentence. Each query's sums are over what it sees, from a whole
  // vector of positions on, whatever is at hand.
  void attend(const Context& at, int64_t sentence, int head, Range own) const {
    const int d = heads.width, count = length(at, sentence);
    const int first = static_cast<int>(own.begin);
    const int last = std::min(static_cast<int>(own.end), count);
    clear(at, sentence, head, std::max(first, count), static_cast<int>(own.end));
    if (first >= last) return;
    const int64_t start = sentence * at.call.source;
    const Buffer& from = at.buffer(in);
    // Keys turned round, [d, S]: scores of 16 positions then come without a sum across a vector.
    const Span all = seen(first, last - 1, count);
    const int base = all.begin / kLanes * kLanes, padded = round_up(all.end - base, kLanes);
    float* turned = Scratch::sized(at.scratch.first, int64_t{d} * padded);
    const float* key = from.row(start + all.begin) + key_column(head);
    for (int s = all.begin - base; s < all.end - base; ++s, key += from.stride)
      for (int i = 0; i < d; ++i) turned[i * padded + s] = key[i];
    for (int i = 0; i < d; ++i) {
      std::fill(turned + i * padded, turned + i * padded + all.begin - base, 0.0f);
      std::fill(turned + i * padded + all.end - base, turned + (i + 1) * padded, 0.0f);
    }
    float* scores = Scratch::sized(at.scratch.second, int64_t{kTogether} * padded);
    for (int query = first; query < last; query += kTogether) {
      const int rows = std::min(kTogether, last - query);
      const float* queries[kTogether];
      for (int r = 0; r < kTogether; ++r)
        queries[r] = from.row(start + query + std::min(r, rows - 1)) + head * d;
      score(queries, turned, padded, scores);
      for (int r = 0; r < rows; ++r) {
        const Span here = seen(query + r, query + r, count);
        const int begin = here.begin / kLanes * kLanes, before = here.begin - begin;
        float* own_scores = scores + r * padded + begin - base;
        add_bias(at, own_scores + before, head, query + r, here);
        std::fill_n(own_scores, before, -std::numeric_limits<float>::infinity());
        softmax(own_scores, here.end - begin, round_up(here.end - begin, kLanes));
        const float* value = from.row(start + here.begin) + value_column(head);
        weighted_sum(to(at, sentence, head, query + r), own_scores + before, here.end - here.begin,
                     d, [&](int s) { return value + int64_t{s} * from.stride; });
      }
    }
  }

  // Scores [kTogether, padded] of a few queries, which share each load of the keys.
  void score(const float* const* queries, const float* turned, int padded, float* scores) const {
    const int d = heads.width;
    const float factor = 1.0f / std::sqrt(static_cast<float>(d));
    for (int s = 0; s < padded; s += kLanes) {
      Floats totals[kTogether] = {};
      for (int i = 0; i < d; ++i) {
        const Floats key = load(turned + i * padded + s);
        for (int r = 0; r < kTogether; ++r) totals[r] += queries[r][i] * key;
      }
      for (int r = 0; r < kTogether; ++r) store(scores + r * padded + s, totals[r] * factor);
    }
  }

  int block_ = 1;
};

}  // namespace transduce
