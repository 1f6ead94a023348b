// From output vectors to all logits, or in one pass to the most probable tokens.
#pragma once

#include "program.h"

namespace transduce {

// Where ``candidates`` is 0, logits [N, V]; else log-probabilities [N, C] and tokens [N, C],
// without the logits ever being written to memory. A row whose logits are no numbers has no numbers
// as log-probabilities. With shortlists the softmax is over the tokens of the row's sentence, and all
// other logits are -∞; of a list of all tokens nothing changes, not one bit. Where there are the
// weights and the bias of a logit that stands for all others, it takes the place of PADDING's.
struct Vocabulary : Operation {
  int in, logits, scores, tokens, shortlist, unlisted, end_token;
  const Weight* weight;

  Vocabulary(int in, const Weight* weight, int logits, int scores, int tokens, int shortlist,
             int unlisted, int end_token)
      : in(in), logits(logits), scores(scores), tokens(tokens), shortlist(shortlist),
        unlisted(unlisted), end_token(end_token), weight(weight) {}

  const Weight* multiplied() const override { return weight; }

  void fits(const Widths& widths) override {
    require(weight != nullptr && weight->depth == widths[in], Fault::kOperation);
    require(end_token >= 0 && end_token < weight->columns, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    if (call.listed > 0) call.lists(shortlist, weight->columns);
    if (call.listed > 0 && call.gives(unlisted)) call.finite(unlisted, {call.sentences, weight->depth + 1});
    if (call.candidates == 0)
      return call.room(logits, {call.rows, weight->columns}, sizeof(float));
    call.room(scores, {call.rows, call.candidates}, sizeof(float));
    call.room(tokens, {call.rows, call.candidates}, sizeof(int64_t));
  }

  void need(Needs& needs) const override { needs.vocabulary = weight->columns; }

  void gather(const Call& call, Workspace& workspace) const override {
    const auto* lists = static_cast<const int64_t*>(call.tensors[shortlist].memory);
    workspace.shortlists = std::make_unique<Shortlists>(*weight, lists, call.listed, call.sentences,
                                                        call.places);
  }

  void touch(Touches& touches) const override { touches.reads(in); }

  void run(const Context& at) const override {
    const Buffer& from = at.buffer(in);
    const int rows = static_cast<int>(at.call.rows);
    at.convert(*weight, from);
    if (at.call.listed > 0) return run_listed(at, from);
    if (at.call.candidates == 0) return write_logits(at, from, rows);
    auto& best = begin(at.scratch, rows, static_cast<int>(at.call.candidates));
    const int blocks = row_blocks(rows);
    const Share share(int64_t{slices()} * blocks, at.thread, at.threads);
    for (int64_t item = share.begin, end; item < share.end; item = end) {
      const int64_t slice = item / blocks;
      end = std::min(share.end, (slice + 1) * blocks);
      const int first = static_cast<int>(item - slice * blocks) * kRowBlock;
      const int last = static_cast<int>(end - slice * blocks) * kRowBlock;
      examine_slice(at, from, best, static_cast<int>(slice), first, std::min(rows, last));
    }
    at.pool.barrier();
    merge(at);
  }

  void prepare(const Call& call, Workspace& workspace) const override {
    if (call.listed > 0) return workspace.shortlists->open(call);
    if (call.candidates == 0) return;
    Scratch::sized(workspace.masses, call.rows * slices());
    for (Scratch& own : workspace.team) {
      own.values.reserve(call.rows * call.candidates);
      own.tokens.reserve(call.rows * call.candidates);
      own.best.reserve(call.rows);
    }
  }

 private:
  static constexpr float kNothing = -std::numeric_limits<float>::infinity();
  static constexpr int kMostSlices = 64;

  // A vocabulary is summed up slice by slice, and the slices hang on nothing but its size: neither the
  // threads nor the rows beside a row change a bit of its sum.
  static int panels_of_slice(int panels) { return (panels + kMostSlices - 1) / kMostSlices; }
  int panels_of_slice() const { return panels_of_slice(weight->panels); }
  int slices() const { return (weight->panels + panels_of_slice() - 1) / panels_of_slice(); }

  void write_logits(const Context& at, const Buffer& from, int rows) const {
    float* to = at.tensor<float>(logits);
    const int64_t size = weight->columns;
    multiply_share(*weight, from.values.get(), from.stride, at.converted, rows, at.thread,
                   at.threads, [&](int row, int count, int panel, const float* tile) {
                     const int first = panel * kPanel;
                     const int width = std::min<int>(kPanel, static_cast<int>(size) - first);
                     for (int r = 0; r < count; ++r)
                       write(to + (row + r) * size + first, tile + r * kPanel, width);
                   });
  }

  // ------------------------------------------------------------ with shortlists

  void run_listed(const Context& at, const Buffer& from) const {
    const int64_t each = at.call.rows / at.call.sentences;
    at.shortlists->multiply(from.values.get(), from.stride, at.converted, each, at.thread, at.threads);
    at.pool.barrier();
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const Shortlists::List& list = at.shortlists->list(at.place(row / each));
      float* own = at.shortlists->logits(row);
      if (at.call.gives(unlisted)) own[0] = others(at, from.values.get() + row * from.stride, row / each);
      if (at.call.candidates == 0)
        spread(own, list, at.tensor<float>(logits) + row * weight->columns);
      else
        choose(own, list, at, row);
    }
  }

  // The logit of all that is in no list.
  float others(const Context& at, const float* vector, int64_t sentence) const {
    const int64_t depth = weight->depth;
    const float* own = at.tensor<float>(unlisted) + at.place(sentence) * (depth + 1);
    double total = own[depth];
    for (int64_t d = 0; d < depth; ++d) total += double{own[d]} * vector[d];
    return static_cast<float>(total);
  }

  // All other tokens are impossible.
  void spread(const float* own, const Shortlists::List& list, float* to) const {
    std::fill_n(to, weight->columns, kNothing);
    for (int64_t i = 0; i < list.count; ++i) to[list.tokens[i]] = own[i];
  }

  // Summed up as a whole vocabulary of so many tokens is.
  void choose(float* own, const Shortlists::List& list, const Context& at, int64_t row) const {
    const int count = static_cast<int>(list.count), wanted = static_cast<int>(at.call.candidates);
    const int panels = (count + kPanel - 1) / kPanel, each = panels_of_slice(panels);
    std::fill(own + count, own + panels * kPanel, kNothing);
    Best best{at.tensor<float>(scores) + row * wanted, at.tensor<int64_t>(tokens) + row * wanted,
              wanted, kNothing, kNothing, Floats{}};
    std::fill_n(best.values, wanted, kNothing);
    std::fill_n(best.tokens, wanted, int64_t{0});
    Mass masses[kMostSlices];
    int slices = 0;
    for (int panel = 0; panel < panels;) {
      for (const int end = std::min(panels, panel + each); panel < end; ++panel)
        examine(best, own + panel * kPanel, panel, count, list.tokens);
      masses[slices++] = {sum(best.totals), best.exponent, best.top};
      best.totals = Floats{};
    }
    const float normalizer = logarithm(masses, slices);
    for (int i = 0; i < wanted; ++i) best.values[i] -= normalizer;
  }

  // ------------------------------------------------------------ of the whole vocabulary

  static std::vector<Best>& begin(Scratch& scratch, int rows, int count) {
    const size_t all = static_cast<size_t>(rows) * count;
    scratch.values.assign(all, kNothing);
    scratch.tokens.assign(all, 0);
    scratch.best.resize(rows);
    for (int row = 0; row < rows; ++row) {
      const size_t first = static_cast<size_t>(row) * count;
      scratch.best[row] = Best{scratch.values.data() + first, scratch.tokens.data() + first, count,
                               kNothing, kNothing, Floats{}};
    }
    return scratch.best;
  }

  // Rows ``first`` … ``last`` - 1.
  void examine_slice(const Context& at, const Buffer& from, std::vector<Best>& best, int slice,
                    int first, int last) const {
    const int end = std::min(weight->panels, (slice + 1) * panels_of_slice());
    for (int panel = slice * panels_of_slice(); panel < end; ++panel)
      multiply_rows(*weight, panel, from.values.get(), from.stride, at.converted, first, last,
                    [&](int row, int count, const float* tile) {
                      for (int r = 0; r < count; ++r)
                        examine(best[row + r], tile + r * kPanel, panel, weight->columns, nullptr);
                    });
    for (int row = first; row < last; ++row) {
      at.masses[int64_t{row} * slices() + slice] = {sum(best[row].totals), best[row].exponent,
                                                  best[row].top};
      best[row].totals = Floats{};
    }
  }

  // One panel of ``columns`` logits, which are those of ``tokens``, or of 0, 1, ….
  void examine(Best& best, const float* logits_of_panel, int panel, int columns,
               const int64_t* tokens) const {
    Floats most = load(logits_of_panel);
    for (int v = 1; v < kPanelVectors; ++v) most = larger(most, load(logits_of_panel + v * kLanes));
    // The largest of all is at least the least of the best: where none is above that, nothing
    // changes but the sum.
    if (lanes_above(most, best.values[best.count - 1]) != 0)
      admit(best, most, logits_of_panel, panel, columns, tokens);
    const auto add = [&](const auto& power) {
      Floats powers[kPanelVectors];
      for (int v = 0; v < kPanelVectors; ++v) powers[v] = power(load(logits_of_panel + v * kLanes));
      for (int v = 0; v < kPanelVectors; ++v) best.totals += powers[v];
    };
    if (is_extreme(best.exponent))
      add(difference);
    else
      add([&](const Floats& z) { return scaled_exponential(z, best.exponent); });
  }

  // Beyond this the largest logit is the logarithm of the sum, as far as digits go.
  static bool is_extreme(float exponent) { return std::fabs(exponent) > 1048576.0f; }

  // 0, but for what is no number or infinite; a column that is not there is -∞.
  static Floats difference(const Floats& z) {
    return (z < splat(-std::numeric_limits<float>::max()) ? Floats{} : z - z);
  }

  void admit(Best& best, const Floats& most, const float* logits_of_panel, int panel, int columns,
             const int64_t* tokens) const {
    best.top = std::max(best.top, largest(most));
    const float exponent = std::ceil(best.top * 1.44269504f);
    if (exponent > best.exponent) {
      best.totals *= std::exp2(best.exponent - exponent);
      best.exponent = exponent;
    }
    const int first = panel * kPanel;
    const int width = std::min(kPanel, columns - first);
    const float least = best.values[best.count - 1];  // which only rises
    for (int v = 0; v < kPanelVectors; ++v)
      for (uint32_t left = lanes_above(load(logits_of_panel + v * kLanes), least); left != 0;
           left &= left - 1) {
        const int i = v * kLanes + __builtin_ctz(left);
        if (i >= width) break;
        // PADDING, UNKNOWN and BEGIN stand before END in every vocabulary, and are never written.
        const int64_t token = tokens == nullptr ? first + i : tokens[first + i];
        if (token >= end_token) best.take(logits_of_panel[i], token);
      }
  }

  void merge(const Context& at) const {
    const int count = static_cast<int>(at.call.candidates);
    float* to_scores = at.tensor<float>(scores);
    int64_t* to_tokens = at.tensor<int64_t>(tokens);
    const Share rows = at.share(at.call.rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      Best best{to_scores + row * count, to_tokens + row * count, count, kNothing, kNothing, {}};
      std::fill_n(best.values, count, kNothing);
      std::fill_n(best.tokens, count, int64_t{0});
      // Threads hold rising ranges of tokens, so the first of equals is the smaller.
      for (int thread = 0; thread < at.threads; ++thread) {
        const Best& slice = at.team[thread].best[row];
        for (int i = 0; i < count && slice.values[i] > kNothing; ++i)
          best.take(slice.values[i], slice.tokens[i]);
      }
      const float normalizer = logarithm(at.masses.data() + row * slices(), slices());
      for (int i = 0; i < count; ++i) best.values[i] -= normalizer;
    }
  }

  // Of the sum of all slices.
  static float logarithm(const Mass* masses, int slices) {
    float top = kNothing, exponent = kNothing, total = 0;
    for (int slice = 0; slice < slices; ++slice) {
      top = std::max(top, masses[slice].top);
      exponent = std::max(exponent, masses[slice].exponent);
    }
    for (int slice = 0; slice < slices; ++slice) {
      const Mass& mass = masses[slice];
      const bool same = mass.exponent == exponent;
      total += same ? mass.total : mass.total * std::exp2(mass.exponent - exponent);
    }
    if (is_extreme(exponent) && !std::isnan(total)) return top;
    return static_cast<float>(std::log(double{total}) + 0.6931471805599453 * exponent);
  }
};

}  // namespace transduce
